"""The contract of `mnist_seq.models.cells`, checked for every cell of `conf/model/`, with options.

The YAMLs are found by scanning the folder: a new cell is tested as soon as its YAML exists.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from mnist_seq.config.paths import options
from mnist_seq.config.reference import default_model
from mnist_seq.models import Classifier, Shape, build_classifier
from mnist_seq.models.cells import Cell, Layers, State
from mnist_seq.models.kernels.scan import Scanned
from mnist_seq.models.short_conv import ShortConv
from tests.conftest import some
from tests.models.variants import (
    EVERY,
    RECURRENT,
    SMALL,
    built,
    plain_gradients,
    sequence,
    small_model,
)

# Every cell by default; of the options of the LSTM and the GRU some
_OPTIONS = [name for name in EVERY if name.startswith(("lstm, ", "gru, "))]
VARIANTS = [*(name for name in EVERY if name not in _OPTIONS), *some(_OPTIONS, 5)]
STEPLESS = [name for name in EVERY if name not in RECURRENT]


@pytest.fixture(params=VARIANTS)
def layers(request: pytest.FixtureRequest) -> nn.Module:
    name, changes = EVERY[request.param]
    return built(name, **changes)


def test_gradients_are_those_of_the_forward_pass(layers: nn.Module) -> None:
    """Checked by finite differences: with a wrong gradient a cell still trains, only worse."""
    x = sequence(Shape(4, 2), batch=2).requires_grad_()
    names = [name for name, _ in layers.named_parameters()]
    weights = [w.detach().clone().requires_grad_() for w in layers.parameters()]

    def run(x: Tensor, *weights: Tensor) -> Tensor:
        named = dict(zip(names, weights, strict=True))
        outputs, _ = torch.func.functional_call(layers, named, (x,))
        return outputs

    # The fast mode compares one random combination: a cell may have a thousand weights
    assert torch.autograd.gradcheck(run, (x, *weights), fast_mode=True)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")  # of torch's own checks of shapes
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")  # from torch 2.14 on
def test_a_traced_net_has_the_numbers_of_the_net(layers: nn.Module) -> None:
    """With gradients on, as exporters have them, and read with another batch: no constants."""
    traced = torch.jit.trace(layers, (sequence(batch=2),), check_trace=False)
    x = sequence(batch=4)
    torch.testing.assert_close(traced(x)[0], layers(x)[0], rtol=0, atol=1e-12)


def test_no_sample_sees_its_batch(layers: nn.Module) -> None:
    """The output for a sample does not depend on the other samples of its batch."""
    x = sequence()
    together = layers(x)[0]
    for k in range(x.shape[1]):
        alone = layers(x[:, k : k + 1])[0]
        torch.testing.assert_close(together[:, k : k + 1], alone, rtol=0, atol=1e-12)


def test_an_output_ignores_later_inputs(layers: nn.Module) -> None:
    """The cell is causal: at time t it has seen the inputs up to t only."""
    x = sequence()
    before = layers(x)[0]
    x[3:] += 1.0
    after = layers(x)[0]
    torch.testing.assert_close(before[:3], after[:3], rtol=0, atol=1e-12)
    assert not torch.allclose(before[3:], after[3:])


def test_the_last_output_is_read(layers: Layers) -> None:
    """The classifier reads the state where it holds the output; a diagnostic reads the outputs."""
    outputs, state = layers(sequence())
    torch.testing.assert_close(layers.last(outputs, state), outputs[-1], rtol=0, atol=0)


def test_a_later_output_depends_on_the_first_input(layers: nn.Module) -> None:
    """A cell that forgets everything at once would pass all other tests."""
    x = sequence()
    before = layers(x)[0][-1]
    x[0] += 1.0
    assert not torch.equal(before, layers(x)[0][-1])


@pytest.mark.parametrize("variant", VARIANTS)
def test_both_directions_are_two_passes_side_by_side(variant: str) -> None:
    """The backward direction reads the sequence from its end, with weights of its own."""
    name, changes = EVERY[variant]
    both = built(name, bidirectional=True, **changes)
    assert isinstance(both, Layers)
    weights = both.state_dict()

    def alone(*, is_backward: bool) -> nn.Module:
        one = built(name, **changes)
        backward = {
            key: key.replace("cells.0.", "cells.1.") if "cells." in key else f"{key}_reverse"
            for key in one.state_dict()
        }
        one.load_state_dict({k: weights[v if is_backward else k] for k, v in backward.items()})
        return one

    x = sequence()
    outputs, state = both(x)
    forward = alone(is_backward=False)(x)[0]
    backward = alone(is_backward=True)(x.flip(0))[0].flip(0)
    torch.testing.assert_close(outputs, torch.cat((forward, backward), dim=-1), rtol=0, atol=1e-12)
    last = torch.cat((forward[-1], backward[0]), dim=-1)
    torch.testing.assert_close(both.last(outputs, state), last, rtol=0, atol=1e-12)


@pytest.mark.parametrize("variant", [case for case in VARIANTS if case not in STEPLESS])
@pytest.mark.parametrize("is_given", [False, True])
def test_a_faster_form_equals_the_step(variant: str, is_given: bool) -> None:
    """A pass over the whole sequence differs from the step in its speed alone, from any state."""
    name, changes = EVERY[variant]
    layers = built(name, **changes)
    assert isinstance(layers, Layers)
    ((cell,),) = layers.step_cells()
    x = sequence().requires_grad_()
    state: State = ()
    if is_given:  # as truncated back-propagation hands it on
        _, state = by_steps(cell, sequence(Shape(3, 2)), ())
        state = tuple(s.detach().requires_grad_() for s in state)
    passes = [lambda: by_steps(cell, x, state), lambda: cell(x, state)]
    if isinstance(layers, Scanned):  # trained as it is, torch's kernel may run instead
        passes.append(lambda: layers.scan(x, state, layers.all_weights[0]))
    if not is_given:
        passes.append(lambda: layers(x))
    inputs = [*layers.parameters(), x, *state]
    expected, *results = [tensors_and_gradients(forward, inputs) for forward in passes]
    for result in results:
        for a, b in zip(expected, result, strict=True):
            torch.testing.assert_close(a.view_as(b), b, rtol=0, atol=1e-10)


@pytest.mark.parametrize("variant", STEPLESS)
def test_a_layer_without_a_step_has_no_state(variant: str) -> None:
    """Which is what truncated back-propagation and diagnostics are refused by."""
    name, changes = EVERY[variant]
    layers = built(name, layers=2, **changes)
    assert isinstance(layers, Layers)
    assert layers.step_cells() == []
    assert layers(sequence())[1] == ()
    assert min(layers.counts(SMALL)) > 0


def by_steps(cell: Cell, x: Tensor, state: State) -> tuple[Tensor, State]:
    """The definition of a cell: its step and its output, one time step after the other."""
    x = cell.project(x)
    return Cell.scan(cell, x, state or cell.initial(x))


def tensors_and_gradients(forward: Callable[[], Any], inputs: list[Tensor]) -> list[Tensor]:
    """Outputs, final state, and the gradients of a function of all of them."""
    outputs, state = forward()
    states = state if isinstance(state, tuple) else (state,)
    scale = torch.linspace(-1, 1, outputs.numel(), dtype=outputs.dtype).view_as(outputs)
    loss = (outputs * scale).sum() + sum(s.square().sum() for s in states)
    gradients = torch.autograd.grad(loss, inputs, allow_unused=True, materialize_grads=True)
    return [outputs, *states, *gradients]


def test_the_layers_are_of_the_contract(layers: nn.Module) -> None:
    """The classifier knows `Layers` only; weights and states are real."""
    assert isinstance(layers, Layers)
    state = layers(sequence())[1]
    states = state if isinstance(state, tuple) else (state,)
    assert all(each.shape[:2] == (1, 3) for each in states)
    assert all(each.dtype == torch.float64 for each in (*states, *layers.parameters()))


@pytest.mark.parametrize("variant", [case for case in VARIANTS if case not in STEPLESS])
def test_counts_are_those_of_the_step(variant: str) -> None:
    """torch's own counter sees the products of matrices; those element by element come on top."""
    name, changes = EVERY[variant]
    layers = built(name, **changes)
    assert isinstance(layers, Layers)
    counts = layers.counts(SMALL)
    x = torch.zeros(1, 1, SMALL.input_size, dtype=torch.float64)
    ((cell,),) = layers.step_cells()
    with FlopCounterMode(display=False) as counter:
        by_steps(cell, x, ())
    of_matrices = counter.get_total_flops() // 2
    if isinstance(cell, ShortConv):  # its output makes again what its step has made
        with FlopCounterMode(display=False) as counter:
            cell.now(cell.initial(cell.project(x))[-1])
        of_matrices -= counter.get_total_flops() // 2
    states = cell.initial(cell.project(x))
    # of a convolution's window, the oldest input is not carried on
    oldest = cell.weight_conv.shape[-1] if isinstance(cell, ShortConv) else 0
    assert counts.state_size == sum(each.numel() for each in states) - oldest
    assert of_matrices <= counts.multiply_adds
    # each number of a matrix meets one number at each time step, in a product of either kind
    assert counts.multiply_adds >= sum(w.numel() for w in layers.parameters() if w.dim() > 1)


@pytest.mark.parametrize("name", options("model"))
@pytest.mark.parametrize("changes", [{}, {"layers": 2, "bidirectional": True, "dropout": 0.5}])
def test_every_cell_makes_a_classifier(name: str, changes: dict[str, object]) -> None:
    """Layers, directions and dropout are keys of all cells; the seed alone decides the weights."""
    model = default_model(name, hidden=4, **changes)
    nets = [
        build_classifier(model, shape=Shape(6, 3), num_outputs=10, rnn_seed=5, head_seed=6)
        for _ in range(2)
    ]
    x = torch.rand(6, 2, 3)
    logits = nets[0].eval()(x)
    assert logits.shape == (2, 10)
    assert torch.equal(logits, nets[1].eval()(x))
    trained = nets[0].train()(x)
    trained.sum().backward()
    assert all(w.grad is not None and w.grad.isfinite().all() for w in nets[0].parameters())


def test_equal_passes_are_bitwise_equal(layers: nn.Module) -> None:
    """No call leaves a buffer behind that changes the next one."""
    first, second = (plain_gradients(layers, sequence()) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


RUNS, BATCH = 3, 4
FORMS: dict[str, dict[str, Any]] = {
    "plain": {},
    "deep": {"layers": 2, "bidirectional": True, "readout": "mean", "dropout": 0.4},
    "around": {
        "layers": 2,
        "bidirectional": True,
        "readout": "last_step",
        "dropout": 0.4,
        "dropout_at": "between",
        "projection": 2,
        "readout_norm": "layer",
        "head": (3,),
        "head_activation": "tanh",
    },
    "unequal": {"layers": 2, "below": (6,), "bidirectional": True, "block": "none", "dropout": 0.4},
}
EACH_FORM = [pytest.param(form, marks=[pytest.mark.slow] * (form != "deep")) for form in FORMS]
Weights = dict[str, Tensor]


def nets(variant: str, **changes: Any) -> list[Classifier]:
    """Nets of equal shape and different weights, in float64."""
    name, options = EVERY[variant]
    model = small_model(name, hidden=3, **options, **changes)
    return [
        build_classifier(model, shape=SMALL, num_outputs=10, rnn_seed=r, head_seed=r + 9).double()
        for r in range(RUNS)
    ]


def stack(all_nets: list[Classifier]) -> Weights:
    weights = [dict(net.named_parameters()) for net in all_nets]
    return {
        key: torch.stack([w[key].detach() for w in weights]).requires_grad_() for key in weights[0]
    }


def batches() -> tuple[Tensor, Tensor]:
    """One batch for each run: x [R, T, B, D] and y [R, B]."""
    x = sequence(batch=RUNS * BATCH).unflatten(1, (RUNS, BATCH)).transpose(0, 1)
    return x, torch.arange(RUNS * BATCH).view(RUNS, BATCH) % 10


def generator(run: int) -> torch.Generator:
    return torch.Generator().manual_seed(100 + run)


def losses(net: Classifier, weights: Weights, noises: tuple[Tensor, ...]) -> Tensor:
    """The losses [R] of a stack, computed as the trainer of stacks does."""

    def loss_of(weights: Weights, x: Tensor, y: Tensor, noises: tuple[Tensor, ...]) -> Tensor:
        return F.cross_entropy(torch.func.functional_call(net, weights, (x, noises)), y)

    return torch.func.vmap(loss_of)(weights, *batches(), noises)


@pytest.mark.parametrize("name", options("model"))
@pytest.mark.parametrize("block", ["none", "residual"])
def test_every_cell_trains_in_bfloat16(name: str, block: str) -> None:
    """Also where its state is complex; near the numbers of float32, without a warning."""
    model = small_model(name, hidden=4, block=block, after="none")
    net = build_classifier(model, shape=SMALL, num_outputs=3, rnn_seed=0, head_seed=0)
    x = sequence().float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        answer = net(x)
        answer.float().square().sum().backward()
    torch.testing.assert_close(answer.float(), net(x), rtol=0, atol=0.05)
    assert all(w.grad is not None and w.grad.isfinite().all() for w in net.parameters())
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        net.eval()(x)


@pytest.mark.parametrize("variant", VARIANTS)
def test_padding_is_not_read(variant: str) -> None:
    """In a batch of unequal lengths, a sequence has the answer that it has by itself."""
    net, x = nets(variant)[0].eval(), sequence()
    lengths = torch.tensor([2, 5, 3])
    together = net(x, (), lengths)
    for k, length in enumerate(lengths.tolist()):
        torch.testing.assert_close(
            together[k : k + 1], net(x[:length, k : k + 1], ()), rtol=0, atol=1e-10
        )


@pytest.mark.parametrize("form", EACH_FORM)
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_run_of_a_stack_has_its_own_loss_and_gradients(variant: str, form: str) -> None:
    """vmap with autograd around it; the random factors are drawn for each run by itself."""
    all_nets = nets(variant, **FORMS[form])
    weights = stack(all_nets)
    drawn = [net.noises(SMALL.time_steps, BATCH, generator(r)) for r, net in enumerate(all_nets)]
    noises = tuple(torch.stack(each) for each in zip(*drawn, strict=True))
    stacked = losses(all_nets[0], weights, noises)
    stacked.sum().backward()
    for run, (net, x, y) in enumerate(zip(all_nets, *batches(), strict=True)):
        torch.manual_seed(100 + run)  # alone, a net draws by itself
        loss = F.cross_entropy(net(x), y)
        torch.testing.assert_close(stacked[run], loss, rtol=0, atol=1e-10)
        for name, weight in net.named_parameters():
            gradient = torch.autograd.grad(loss, weight, retain_graph=True)[0]
            found = weights[name].grad
            assert found is not None
            torch.testing.assert_close(found[run], gradient, rtol=0, atol=1e-10)


def test_what_is_around_the_layers_of_a_stack_is_each_runs_own() -> None:
    test_a_run_of_a_stack_has_its_own_loss_and_gradients("lstm", "around")


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_run_of_a_stack_is_evaluated_as_alone(variant: str) -> None:
    """All runs read the same images, which are not copied for each run."""
    all_nets = [net.eval() for net in nets(variant, **FORMS["deep"])]
    x = sequence()
    with torch.inference_mode():
        stacked = torch.func.vmap(
            lambda weights, x: torch.func.functional_call(all_nets[0], weights, (x,)),
            in_dims=(0, None),
        )(stack(all_nets), x)
        for run, net in enumerate(all_nets):
            torch.testing.assert_close(stacked[run], net(x), rtol=0, atol=1e-10)
