"""What holds for every cell: all YAMLs of the group are picked up here by themselves."""

import pytest
import torch
from torch import Tensor, nn

from mnist_seq.config.paths import options
from mnist_seq.config.reference import default_model
from mnist_seq.models import Shape, build_classifier
from mnist_seq.models.recurrence import Recurrence
from tests.models.variants import EVERY, built, plain_gradients, sequence


@pytest.fixture(params=EVERY)
def layers(request: pytest.FixtureRequest) -> nn.Module:
    name, changes = EVERY[request.param]
    return built(name, **changes)


def test_gradients_are_those_of_the_forward_pass(layers: nn.Module) -> None:
    """By finite differences: a wrong gradient still trains, and only worse."""
    x = sequence(Shape(4, 2), batch=2).requires_grad_()
    names = [name for name, _ in layers.named_parameters()]
    weights = [w.detach().clone().requires_grad_() for w in layers.parameters()]

    def run(x: Tensor, *weights: Tensor) -> Tensor:
        named = dict(zip(names, weights, strict=True))
        outputs, _ = torch.func.functional_call(layers, named, (x,))
        return outputs

    assert torch.autograd.gradcheck(run, (x, *weights))


def test_no_sample_sees_its_batch(layers: nn.Module) -> None:
    """A sample's output is its own, whatever stands beside it."""
    x = sequence()
    together = layers(x)[0]
    for k in range(x.shape[1]):
        alone = layers(x[:, k : k + 1])[0]
        torch.testing.assert_close(together[:, k : k + 1], alone, rtol=0, atol=1e-12)


def test_an_output_ignores_later_inputs(layers: nn.Module) -> None:
    """Causal: a look into the future would read the label's shape early."""
    x = sequence()
    before = layers(x)[0]
    x[3:] += 1.0
    after = layers(x)[0]
    torch.testing.assert_close(before[:3], after[:3], rtol=0, atol=1e-12)
    assert not torch.allclose(before[3:], after[3:])


def test_the_state_is_the_last_output(layers: nn.Module) -> None:
    """What the classifier reads is what the outputs end with."""
    outputs, state = layers(sequence())
    last = state[0] if isinstance(state, tuple) else state
    torch.testing.assert_close(last[-1], outputs[-1], rtol=0, atol=0)


def test_a_later_output_depends_on_the_first_input(layers: nn.Module) -> None:
    """A cell that forgets at once would pass all other contracts."""
    x = sequence()
    before = layers(x)[0][-1]
    x[0] += 1.0
    assert not torch.equal(before, layers(x)[0][-1])


def test_layers_and_directions_are_stacked_as_torch_does(layers: nn.Module) -> None:
    """Both directions, put together by hand from two passes of one cell."""
    if not isinstance(layers, Recurrence):
        pytest.skip("torch's own: see test_scan")
    both = Recurrence.__new__(Recurrence)
    nn.Module.__init__(both)
    both.num_directions, both.dropout = 2, 0.0
    both.cells = nn.ModuleList([layers.cells[0], layers.cells[0]])
    x = sequence()
    outputs, state = both(x)
    forward, backward = layers(x)[0], layers(x.flip(0))[0].flip(0)
    torch.testing.assert_close(outputs, torch.cat((forward, backward), dim=-1), rtol=0, atol=1e-12)
    torch.testing.assert_close(state[0][1], backward[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", options("model"))
@pytest.mark.parametrize("changes", [{}, {"layers": 2, "bidirectional": True, "dropout": 0.5}])
def test_every_cell_makes_a_classifier(name: str, changes: dict[str, object]) -> None:
    """Layers, directions and dropout are keys of all cells; the seed alone decides the weights."""
    model = default_model(name, hidden=4, **changes)
    nets = [
        build_classifier(model, shape=Shape(6, 3), num_classes=10, rnn_seed=5, head_seed=6)
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
    """No buffer outlives a call."""
    first, second = (plain_gradients(layers, sequence()) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
