"""Training steps as CUDA graphs."""

import pytest
import torch

from mnist_seq.training.batched.stack import Stack
from mnist_seq.training.loop.cuda_graph import Captured
from mnist_seq.training.loop.program import Single
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


@pytest.mark.parametrize("name", ["adam", "adamw", "nadam", "rmsprop", "sgd", "adagrad"])
@pytest.mark.parametrize("cell", ["lstm", "gru", "mgu"])
def test_a_replayed_step_of_a_run_alone_is_the_step(name: str, cell: str) -> None:
    """Its learning rate is read from a tensor, which no checkpoint may hold."""
    words = (f"optimizer={name}", f"model={cell}", "schedule=cosine", "training.clip_norm=0.5")
    singles = []
    for is_captured in (False, True):
        single = Single(make_learner(*words, device="cuda"), None)
        assert isinstance(single._update, Captured) == (name != "adagrad")
        if not is_captured:
            single._update = single._by_positions
        advance(single, [single.learner.config], range(30))
        singles.append(single)
    weights = [list(single.learner.model.parameters()) for single in singles]
    torch.testing.assert_close(*weights)
    torch.testing.assert_close(singles[0].loss_sums, singles[1].loss_sums)
    saved = singles[1].optimizer_state(0)
    assert isinstance(saved["param_groups"][0]["lr"], float)
    Single(make_learner(*words, device="cuda"), saved)


def test_what_cannot_be_captured_runs_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    total = torch.zeros((), device="cuda")

    def waits(x: torch.Tensor) -> None:
        total.add_(x.sum().item())

    captured = Captured(waits)
    for _ in range(6):
        captured(torch.ones(2, device="cuda"))
    assert total.item() == 12
    assert caplog.text.count("without a CUDA graph") == 1
