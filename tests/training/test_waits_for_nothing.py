"""A training step on tensors that have no data, as on a GPU that answers nobody.

There is no arithmetic on torch's meta device, but what keeps a step from being a CUDA graph shows:
a value that the host asks for, an operand that was left on the CPU, a shape that hangs on a value.
"""

import pytest
import torch

from mnist_seq.config.paths import options
from mnist_seq.training.batched.stack import Stack
from mnist_seq.training.loop.program import Program, Single
from tests.conftest import some
from tests.training.learners import advance, make_learner


def made(kind: str, *words: str) -> Program:
    """Two runs as a stack, or one alone."""
    # No generator draws without data, so these models have no dropout
    runs = [make_learner(*words, f"seed={i}", device="meta", draws_on="cpu") for i in (0, 1)]
    return Single(runs[0], None) if kind == "alone" else Stack(runs, [None, None])


def check(kind: str, *words: str) -> None:
    """An epoch, its ragged last batch included, and the first step of the next."""
    program = made(kind, *words)
    runs = [program.learner] if isinstance(program, Single) else program.learners  # type: ignore[attr-defined]
    advance(program, [run.config for run in runs], range(4))
    assert program.loss_sums.is_meta


def test_a_value_that_the_host_asks_for_is_seen() -> None:
    """Else the others could not fail."""
    with pytest.raises(RuntimeError):
        torch.ones(3, device="meta").sum().item()
    with pytest.raises(RuntimeError):
        torch.ones(3, device="meta") + torch.ones(3)


@pytest.mark.parametrize("kind", ["alone", "stack"])
@pytest.mark.parametrize("cell", options("model"))
def test_no_cell_waits(cell: str, kind: str) -> None:
    check(kind, f"model={cell}")


OPTIONS = [
    "model.layers=2 model.bidirectional=true model.readout=mean",
    "model.peepholes=true",
    "model.layer_norm=true",
    "model.full_gate_recurrence=true",
    "model=gru model.reset=before",
    "training.tbptt=2",
    "model.readout=flat",
]


@pytest.mark.parametrize("kind", ["alone", "stack"])
@pytest.mark.parametrize("words", some(OPTIONS, 2))
def test_no_option_waits(words: str, kind: str) -> None:
    check(kind, *words.split())
