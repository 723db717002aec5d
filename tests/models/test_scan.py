"""Hand-written recurrent layers against torch's own."""

import gc
import weakref
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from mnist_seq.models.cells import gru, lstm, rnn
from mnist_seq.models.cells.gru import GRUScan, ScanGRU
from mnist_seq.models.cells.rnn import RNNScan, ScanRNN
from mnist_seq.models.kernels import scan
from mnist_seq.models.kernels.lstm_scan import LSTMScan

State = Tensor | tuple[Tensor, Tensor]
Make = Callable[..., nn.RNNBase]


class AlwaysScanLSTM(lstm.ScanLSTM):
    """Alone, too, by the scan that runs in a stack."""

    def trains_by_scan(self, x: Tensor) -> bool:
        return True


TWINS: dict[str, tuple[Make, Make]] = {
    "lstm": (AlwaysScanLSTM, nn.LSTM),
    "gru": (ScanGRU, nn.GRU),
    "rnn-tanh": (ScanRNN, nn.RNN),
    "rnn-relu": (
        lambda *args, **kwargs: ScanRNN(*args, nonlinearity="relu", **kwargs),
        lambda *args, **kwargs: nn.RNN(*args, nonlinearity="relu", **kwargs),
    ),
}
SHAPES = {
    "one layer": {},
    "two layers": {"num_layers": 2},
    "both directions": {"bidirectional": True},
    "two layers, both directions": {"num_layers": 2, "bidirectional": True},
}


@pytest.fixture(params=TWINS)
def twins(request: pytest.FixtureRequest) -> tuple[Make, Make]:
    return TWINS[request.param]


def pair(twins: tuple[Make, Make], **options: object) -> tuple[nn.RNNBase, nn.RNNBase]:
    """Ours and torch's, of equal weights, in float64."""
    models = []
    for make in twins:
        torch.manual_seed(0)
        models.append(make(5, 7, dtype=torch.float64, **options))
    return models[0], models[1]


def sequence(time_steps: int = 6, batch: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(time_steps, batch, 5, dtype=torch.float64, generator=generator)


def flat(state: State) -> tuple[Tensor, ...]:
    return state if isinstance(state, tuple) else (state,)


def last(outputs: Tensor, state: State) -> Tensor:
    return torch.cat(flat(state)).square().sum()


def mean(outputs: Tensor, state: State) -> Tensor:
    return outputs.mean(dim=0).square().sum()


def both(outputs: Tensor, state: State) -> Tensor:
    weight = torch.linspace(-1, 1, outputs.numel(), dtype=outputs.dtype).view_as(outputs)
    return (outputs * weight).sum() + last(outputs, state)


def gradients(model: nn.RNNBase, x: Tensor, readout: Callable[..., Tensor]) -> list[Tensor]:
    """What comes out, and the gradient of every weight and of x where x asks for it."""
    outputs, state = model(x)
    inputs = [*model.parameters(), *([x] if x.requires_grad else [])]
    return [outputs, *flat(state), *torch.autograd.grad(readout(outputs, state), inputs)]


@pytest.fixture
def graph() -> Callable[[Tensor], set[str]]:
    """Names of the nodes that autograd holds behind a tensor."""

    def names(tensor: Tensor) -> set[str]:
        seen, stack = set(), [tensor.grad_fn]
        while stack:
            node = stack.pop()
            if node is not None and node not in seen:
                seen.add(node)
                stack += [function for function, _ in node.next_functions]
        return {node.name() for node in seen}

    return names


@pytest.mark.parametrize("readout", [last, mean, both])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("needs_dx", [False, True])
def test_equals_torch(
    twins: tuple[Make, Make], shape: str, readout: Callable[..., Tensor], needs_dx: bool
) -> None:
    """The scan is torch's cell, forward and in every gradient: only its speed differs."""
    ours, theirs = pair(twins, **SHAPES[shape])
    x = sequence().requires_grad_(needs_dx)
    for a, b in zip(gradients(ours, x, readout), gradients(theirs, x, readout), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("time_steps", "batch"), [(1, 3), (6, 1), (1, 1), (6, 3)])
def test_equals_torch_at_the_edges(
    twins: tuple[Make, Make], time_steps: int, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One time step, one example, a non-contiguous x, and chunks that do not divide T."""
    ours, theirs = pair(twins)
    monkeypatch.setattr(scan, "CHUNK_BYTES", 4 * batch * 4 * 7 * 8)  # 4 time steps of float64
    x = sequence(batch, time_steps).transpose(0, 1).requires_grad_()
    for a, b in zip(gradients(ours, x, both), gradients(theirs, x, both), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)


def test_gradcheck(twins: tuple[Make, Make]) -> None:
    """The gradient is that of the forward pass, by finite differences."""
    ours, _ = pair(twins)
    x, weights = sequence().requires_grad_(), [w.detach() for w in ours.parameters()]

    def run(x: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
        named = dict(zip(dict(ours.named_parameters()), weights, strict=True))
        outputs, state = torch.func.functional_call(ours, named, (x,))
        return outputs, *flat(state)

    assert torch.autograd.gradcheck(run, (x, *(w.requires_grad_() for w in weights)))


def test_the_scan_is_what_trains(
    twins: tuple[Make, Make], graph: Callable[[Tensor], set[str]]
) -> None:
    """A fast path that is never taken would pass every other test here."""
    ours, _ = pair(twins)
    assert graph(ours(sequence())[0]) & {
        f"{GRUScan.__name__}Backward",
        f"{RNNScan.__name__}Backward",
        f"{LSTMScan.__name__}Backward",
    }


def test_an_lstm_trains_by_scan_on_long_sequences(graph: Callable[[Tensor], set[str]]) -> None:
    """At 784 time steps it is quicker than oneDNN, at 28 slower."""
    model = lstm.ScanLSTM(1, 64)
    for time_steps, is_scanned in ((28, False), (784, True)):
        nodes = graph(model(torch.rand(time_steps, 16, 1))[0])
        assert ("LSTMScanBackward" in nodes) == is_scanned


def test_torch_runs_what_the_scan_does_not(
    twins: tuple[Make, Make], graph: Callable[[Tensor], set[str]]
) -> None:
    """bf16 autocast, packed sequences: torch's own graph and numbers."""
    ours, theirs = pair(twins)
    ours.float(), theirs.float()
    x = sequence().float()
    packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([6, 4, 2]))
    torch.testing.assert_close(ours(packed)[1], theirs(packed)[1], rtol=0, atol=0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs, expected = ours(x)[0], theirs(x)[0]
    torch.testing.assert_close(outputs, expected, rtol=0, atol=0)
    assert not any(name.endswith("ScanBackward") for name in graph(outputs))


def test_inference_equals_training(twins: tuple[Make, Make]) -> None:
    """Evaluation takes torch's forward pass, and must judge the net that was trained."""
    ours, _ = pair(twins, num_layers=2)
    trained, state = ours(sequence())
    with torch.inference_mode():
        evaluated, again = ours(sequence())
    for a, b in zip((trained, *flat(state)), (evaluated, *flat(again)), strict=True):
        torch.testing.assert_close(a.detach(), b, rtol=0, atol=1e-10)


def test_two_runs_are_bitwise_equal(twins: tuple[Make, Make]) -> None:
    """In float32, where the order of a sum shows."""
    ours, _ = pair(twins)
    ours.float()
    x = sequence(28, 64).float().requires_grad_()
    first, second = (gradients(ours, x, both) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_two_forward_passes_before_two_backward(twins: tuple[Make, Make]) -> None:
    """No buffer is shared between calls."""
    ours, _ = pair(twins)
    weights = list(ours.parameters())
    alone = [gradients(ours, x, both)[-len(weights) :] for x in (sequence(), -sequence())]
    losses = [both(*ours(x)) for x in (sequence(), -sequence())]
    together = [torch.autograd.grad(loss, weights) for loss in losses]
    for a, b in zip(alone, together, strict=True):
        assert all(torch.equal(p, q) for p, q in zip(a, b, strict=True))


def test_a_second_backward_pass_gives_the_same(twins: tuple[Make, Make]) -> None:
    """With `retain_graph` the saved tensors must have stayed as they were."""
    ours, _ = pair(twins)
    loss, weights = both(*ours(sequence())), list(ours.parameters())
    first = torch.autograd.grad(loss, weights, retain_graph=True)
    second = torch.autograd.grad(loss, weights)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_outputs_changed_in_place_are_refused(twins: tuple[Make, Make]) -> None:
    """The outputs are what the backward pass reads: a change must never pass silently."""
    ours, _ = pair(twins)

    def change() -> None:
        outputs, state = ours(sequence())
        outputs.mul_(2)
        both(outputs, state).backward()

    with pytest.raises(RuntimeError, match=r"inplace|in-place"):
        change()


def test_a_step_leaves_nothing_behind(twins: tuple[Make, Make]) -> None:
    """The graph dies with its loss, without the garbage collector: an epoch makes 938 of them."""
    ours, _ = pair(twins)
    gc.collect()
    gc.disable()
    try:
        outputs, state = ours(sequence())
        watched = weakref.ref(flat(state)[0].grad_fn.next_functions[0][0])
        last(outputs, state).backward()
        del outputs, state
        assert watched() is None
    finally:
        gc.enable()


def test_state_dict_is_torchs_own(twins: tuple[Make, Make]) -> None:
    """A checkpoint loads where this package is not installed, and one seed gives one net."""
    ours, theirs = pair(twins, num_layers=2, bidirectional=True)
    for (name, a), (other, b) in zip(
        ours.state_dict().items(), theirs.state_dict().items(), strict=True
    ):
        assert name == other
        assert torch.equal(a, b)


@pytest.mark.parametrize("is_trained", [False, True])
def test_dropout_between_layers_falls_as_torchs(twins: tuple[Make, Make], is_trained: bool) -> None:
    """What is drawn outside the pass is what torch draws inside, by scan or kernel."""
    ours, theirs = pair(twins, num_layers=2, dropout=0.5)
    torch.manual_seed(3)
    noises = ours.noises(6, 3)
    torch.manual_seed(3)
    expected = theirs(sequence())[0].detach()
    with torch.set_grad_enabled(is_trained):
        torch.testing.assert_close(ours(sequence(), None, noises)[0], expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_given_state_goes_on(twins: tuple[Make, Make], shape: str) -> None:
    """A sequence in two parts, gradients through the state handed on included: torch's."""
    found = []
    for model in pair(twins, **SHAPES[shape]):
        x = sequence().requires_grad_()
        first, state = model(x[:2])
        second, state = model(x[2:], state)
        loss = both(torch.cat((first, second)), state)
        found.append([loss, *flat(state), *torch.autograd.grad(loss, [*model.parameters(), x])])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)


def test_build_gives_the_scanned_layers() -> None:
    """What the benchmark measures is what a user trains."""
    from mnist_seq.config.reference import default_model
    from mnist_seq.models import Shape

    assert isinstance(gru.build(Shape(5, 3), default_model("gru")), ScanGRU)
    assert isinstance(lstm.build(Shape(5, 3), default_model("lstm")), lstm.ScanLSTM)
    relu = rnn.build(Shape(5, 3), default_model("rnn", nonlinearity="relu"))
    assert isinstance(relu, ScanRNN)
    assert relu.nonlinearity == "relu"


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")  # of torch's own checks of shapes
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")  # from torch 2.14 on
def test_a_model_that_leaves_training_is_torch_s(twins: tuple[Make, Make]) -> None:
    """With gradients on, as exporters have them: they would write down the scan as constants."""
    ours, theirs = pair(twins)
    ours.eval(), theirs.eval()
    traced = torch.jit.trace(ours, (sequence(),))
    longer = sequence(batch=4)
    assert torch.equal(traced(longer)[0], theirs(longer)[0])
    assert torch.equal(ours(longer)[0], theirs(longer)[0])
