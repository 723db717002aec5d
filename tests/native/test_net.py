"""A native net computes what torch's modules compute, in float64 as the judge."""

import pytest
import torch

from mnist_seq.native import Layout, Library, Net, Rule, Source
from tests.conftest import needs_compiler
from tests.native.nets import CELLS, Case, distance

pytestmark = needs_compiler

ADAM = Rule("adam", {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8})


def net_of(library: Library, case: Case, rule: Rule = ADAM) -> Net:
    weights = case.weights()
    return Net(library, case.layout, rule, weights, [1.0] * len(weights), [0.0] * len(weights))


CASES = [
    Case(Layout(cell, 28, 64, 1, 10), batch=64, time_steps=28) for cell in CELLS
] + [
    Case(Layout("lstm", 3, 33, 1, 17, "mean"), batch=7, time_steps=5),
    Case(Layout("gru", 1, 7, 3, 3), batch=63, time_steps=12, has_dropout=True),
    Case(Layout("rnn_tanh", 28, 100, 2, 10, "mean"), batch=1, time_steps=2, has_dropout=True),
    Case(Layout("lstm", 28, 16, 2, 10), batch=1000, time_steps=1),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_loss_and_gradients_are_as_near_to_float64_as_torch(
    native_library: Library, case: Case
) -> None:
    x, y, noises = case.batch_of()
    loss, gradients, outputs = case.by_torch(torch.float64)
    net = net_of(native_library, case)
    found_loss, found = net.gradients(case.source(), None, y, noises)
    assert found_loss == pytest.approx(float(loss), rel=1e-6, abs=1e-7)
    for mine, wanted in zip(found, gradients, strict=True):
        assert distance(mine, wanted) < 1e-6
    if not noises:
        assert distance(net.outputs(x), outputs) < 1e-6


@pytest.mark.parametrize("cell", CELLS)
def test_an_example_has_the_same_bits_in_every_batch_and_with_any_threads(
    native_library: Library, cell: str
) -> None:
    """Else `training.eval_batch_size` or the cores of a machine would decide a close call."""
    case = Case(Layout(cell, 5, 19, 2, 3, "mean"), batch=67, time_steps=9, has_dropout=True)
    x, y, noises = case.batch_of()
    net = net_of(native_library, case)
    loss, gradients = net.gradients(case.source(), None, y, noises)
    outputs = net.outputs(x)
    assert torch.equal(
        torch.cat([net.outputs(part) for part in x.split([1, 2, 3, 6, 7, 48])]), outputs
    )
    for threads in (2, 3):
        weights = case.weights()
        shared = Net(native_library, case.layout, ADAM, weights, [1.0] * 10, [0.0] * 10,
                     threads=threads)  # fmt: skip
        again = shared.gradients(case.source(), None, y, noises)
        assert again[0] == loss
        assert all(torch.equal(a, b) for a, b in zip(again[1], gradients, strict=True))


@pytest.mark.parametrize("time_major", [False, True])
@pytest.mark.parametrize("inputs", [1, 28])
def test_bytes_are_gathered_and_normalised(
    native_library: Library, inputs: int, time_major: bool
) -> None:
    """Images are kept as bytes; a made batch [T, B, D] is read where it lies."""
    draw = torch.Generator().manual_seed(3)
    case = Case(Layout("rnn_tanh", inputs, 8, 1, 3), batch=5, time_steps=6)
    size = (6, 30, inputs) if time_major else (30, 6, inputs)
    data = torch.randint(256, size, generator=draw, dtype=torch.uint8)
    data = data.transpose(0, 1) if time_major else data
    rows = torch.randperm(30, generator=draw)[:20]
    order, y = torch.randperm(20, generator=draw)[:5], torch.randint(3, (5,), generator=draw)
    net = net_of(native_library, case)
    loss, found = net.gradients(Source(data, 0.02, -0.5, rows), order, y)
    x = torch.add(torch.tensor(-0.5), data[rows[order]], alpha=0.02)
    plain_loss, plain = net.gradients(Source(x), None, y)
    assert loss == pytest.approx(plain_loss, rel=1e-6, abs=1e-7)
    for a, b in zip(found, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_what_does_not_fit_is_refused_and_nothing_is_updated(native_library: Library) -> None:
    case = Case(Layout("gru", 3, 4, 1, 2), batch=3, time_steps=2)
    net = net_of(native_library, case)
    _, y, _ = case.batch_of()
    before = [weight.clone() for weight in net.weights]
    with pytest.raises(IndexError, match="targets must be classes"):
        net.step(case.source(), None, y + 2, 0.1)
    with pytest.raises(IndexError, match="order must hold positions"):
        net.step(case.source(), torch.tensor([0, 1, 3]), y, 0.1)
    with pytest.raises(ValueError, match="reads 3 numbers"):
        net.step(Source(torch.zeros(3, 2, 4)), None, y, 0.1)
    with pytest.raises(ValueError, match="noises must have the shapes"):
        net.step(case.source(), None, y, 0.1, (torch.ones(3, 5),))
    none = torch.tensor([], dtype=torch.int64)
    with pytest.raises(ValueError, match="a batch must hold 1 example"):  # else the process dies
        net.step(case.source(), none, none, 0.1)
    with pytest.raises(ValueError, match="rows must be int64"):
        Source(torch.zeros(3, 2, 3), rows=torch.zeros(2, 2, dtype=torch.int64))
    assert net.num_steps == 0
    assert all(torch.equal(a, b) for a, b in zip(net.weights, before, strict=True))
    with pytest.raises(ValueError, match="weights must have the shapes"):
        Net(native_library, Layout("lstm", 3, 4, 1, 2), ADAM, net.weights, [1.0] * 6, [0.0] * 6)


def test_denormal_numbers_are_zero_inside_only(native_library: Library) -> None:
    """A CPU computes slowly with them; the process keeps its own setting."""
    case = Case(Layout("rnn_relu", 1, 1, 1, 2), batch=1, time_steps=1)
    net = net_of(native_library, case)
    tiny = torch.tensor([1e-40])
    was_flushed = float((tiny * 1)[0]) == 0
    net.weights[0].fill_(1e-40)
    for bias in (*net.weights[2:4], net.weights[5]):
        bias.zero_()
    assert not net.outputs(torch.full((1, 1, 1), 1e38)).any()
    assert (float((tiny * 1)[0]) == 0) == was_flushed
