"""A device that has no float64, as Apple's MPS: none may be made there."""

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mnist_seq.tasks.batches.batch import Batch
from mnist_seq.tasks.spec import Output, Spec
from mnist_seq.training.batched.stack import Stack
from mnist_seq.training.loop.objective import sums_of
from mnist_seq.training.loop.program import Single
from tests.training.learners import advance, make_learner

DEVICE = torch.device("meta")  # it computes shapes and types only, and any device can stand for it


class NoFloat64(TorchDispatchMode):
    """Refuses float64 on the device."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        found = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(found):
            if isinstance(leaf, torch.Tensor) and leaf.device == DEVICE:
                assert leaf.dtype != torch.float64, f"{func} makes float64"
        return found


@pytest.mark.parametrize("num_runs", [1, 2])
@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_no_float64_reaches_the_device(num_runs: int, optimizer: str) -> None:
    """In training, alone and stacked."""
    words = [f"optimizer={optimizer}", "training.clip_norm=1.0"]
    learners = [make_learner(*words, f"seed={s}", device="meta", draws_on="cpu") for s in (0, 1)]
    with NoFloat64():
        program = Single(learners[0], None) if num_runs == 1 else Stack(learners, [None, None])
        advance(program, [learner.config for learner in learners[:num_runs]], range(4))
    assert program.loss_sums.dtype == torch.float32


@pytest.mark.parametrize("output", ["class", "bits", "value"])
def test_no_float64_is_summed_there(output: Output) -> None:
    x, y = torch.zeros(5, 4, 3), torch.zeros(4, 2)
    spec = Spec("vector", 3, output, 2, time_steps=5)
    y = torch.zeros(4, dtype=torch.int64) if output == "class" else y
    with NoFloat64():
        batch = Batch(*(each.to(DEVICE) for each in (x, y)))
        sums_of(spec, torch.zeros(4, 2).to(DEVICE), batch)
