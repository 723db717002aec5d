"""A native net computes what torch's modules compute, in float64 as the judge."""

import pytest
import torch

from mnist_seq.native import Layout, Library, Net, Rule
from tests.native.nets import CELLS, Case, distance

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
