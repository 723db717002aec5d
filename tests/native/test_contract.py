"""Every kind of vectors, and every class of sizes, against float64."""

import itertools

import pytest
import torch

from mnist_seq.native import Layout, Library, Net, Rule
from mnist_seq.native.build import build
from mnist_seq.native.check import checked
from mnist_seq.system import cpuinfo
from tests.conftest import needs_compiler
from tests.native.nets import CELLS, Case, distance

# Slow: a compilation for each kind; thousands of time steps.
pytestmark = [needs_compiler, pytest.mark.slow]

# kind -> floats of a vector, and what Linux calls the instruction set
KINDS = {
    "avx512": (16, "avx512f"),
    "avx2": (8, "avx2"),
    "plain": (4, "sse2"),
    "neon": (4, "asimd"),
}
HIDDEN = (1, 7, 16, 33, 64, 100, 128, 256)
BATCHES = (1, 7, 63, 64, 1000)
INPUTS = (1, 3, 28)
STEPS = (1, 2, 28)


def cases(cell: str) -> list[Case]:
    """Each pair of a hidden size and a batch, with inputs and time steps in turn; long ones."""
    turn = itertools.cycle(itertools.product(INPUTS, STEPS))
    found = []
    for i, (hidden, batch) in enumerate(itertools.product(HIDDEN, BATCHES)):
        inputs, steps = next(turn)
        if hidden * batch > 30_000:
            steps = 2
        layers, readout = 1 + i % 2, ("last", "mean")[i % 3 == 0]
        layout = Layout(cell, inputs, hidden, layers, 10, readout)
        found.append(Case(layout, batch, steps, has_dropout=i % 4 == 0))
    return [
        *found,
        Case(Layout(cell, 1, 33, 1, 10), 7, 784),
        Case(Layout(cell, 3, 16, 1, 30), 64, 300),
    ]


@pytest.fixture(scope="module", params=KINDS)
def one_kind(request: pytest.FixtureRequest) -> Library:
    """A library of one kind of vectors, compiled for it on purpose."""
    lanes, flag = KINDS[request.param]
    if flag not in cpuinfo("flags", "Features").split():
        pytest.skip(f"this CPU has no {flag}")
    found = checked(build(request.param))
    assert found.lanes == lanes
    return found


@pytest.mark.parametrize("cell", CELLS)
def test_all_sizes_are_as_near_to_float64_as_torch(one_kind: Library, cell: str) -> None:
    """Relative distance of all gradients together, at most 3 times that of torch's float32."""
    for case in cases(cell):
        x, y, noises = case.batch_of()
        loss, wanted, outputs = case.by_torch(torch.float64)
        _, by_torch, _ = case.by_torch(torch.float32)
        weights = case.weights()
        net = Net(one_kind, case.layout, Rule("sgd"), weights, [1.0] * len(weights),
                  [0.0] * len(weights))  # fmt: skip
        found_loss, found = net.gradients(case.source(), None, y, noises)
        assert found_loss == pytest.approx(float(loss), rel=1e-5, abs=1e-6), case
        mine, torchs, right = (
            torch.cat([each.double().flatten() for each in of]) for of in (found, by_torch, wanted)
        )
        assert distance(mine, right) < max(3 * distance(torchs, right), 1e-6), case
        if not noises:
            assert distance(net.outputs(x), outputs) < 2e-6, case
