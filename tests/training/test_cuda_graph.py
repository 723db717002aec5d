"""The stack's step as a CUDA graph."""

import pytest
import torch

from mnist_seq.training.stack import Stack
from tests.training.learners import advance, make_learner

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.mark.parametrize("name", ["adam", "adamw", "nadam", "rmsprop", "sgd", "adagrad"])
def test_a_replayed_step_is_the_step(name: str) -> None:
    """What is captured must depend on nothing but the buffers that each step fills."""
    words = (f"optimizer={name}", "model.dropout=0.2", "training.clip_norm=0.5")
    own = [("seed=0", "schedule=cosine"), ("seed=1", "optimizer.lr=0.003")]
    stacks = []
    for is_captured in (False, True):
        learners = [make_learner(*words, *of_run, device="cuda") for of_run in own]
        stack = Stack(learners, [None] * len(learners))
        if not is_captured:
            stack._update = stack._by_positions
        advance(stack, [learner.config for learner in learners], range(30))
        stacks.append(stack)
    torch.testing.assert_close(stacks[0].weights, stacks[1].weights)
    torch.testing.assert_close(stacks[0].loss_sums, stacks[1].loss_sums)
