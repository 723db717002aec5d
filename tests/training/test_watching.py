"""What is read of a run along the way, and what chooses its best weights."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mnist_seq.runs.events import Ended
from mnist_seq.runs.folder import RunFolder
from mnist_seq.training.batched.stack import Stack
from mnist_seq.training.loop.best import Choice
from mnist_seq.training.loop.program import Single
from tests.training.learners import advance, make_learner
from tests.training.test_run import same

RunIn = Callable[..., tuple[Ended, RunFolder]]


def test_accuracy_on_training_batches_is_that_of_the_training_set(
    tmp_path: Path, run_in: RunIn
) -> None:
    """With weights that hardly move, both ways to read the same 1,000 images agree."""
    still = ("optimizer=sgd", "optimizer.lr=1e-9")
    watched = ("training.train_accuracy=true", "training.eval_train=1000",
               "training.monitor_test=100")  # fmt: skip
    _, folder = run_in(tmp_path / "watched", *still, *watched)
    (row,) = folder.metrics()
    assert row["train/accuracy"] == pytest.approx(row["train_eval/accuracy"], abs=2e-3)
    assert row["train/loss"] == pytest.approx(row["train_eval/loss"], rel=1e-4)
    assert 0 < row["monitor/loss"] < 3
    _, plain = run_in(tmp_path / "plain", *still)
    weights = [torch.load(f.model_path, weights_only=True) for f in (folder, plain)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_runs_of_a_stack_have_the_training_accuracy_of_runs_alone() -> None:
    each = [("training.train_accuracy=true", f"seed={seed}") for seed in (0, 1)]
    alone = [make_learner(*words) for words in each]
    stack = Stack([make_learner(*words) for words in each], [None, None])
    advance(stack, [learner.config for learner in alone], range(4))
    assert stack.right_sums is not None
    for learner, right_sum in zip(alone, stack.right_sums, strict=True):
        single = Single(learner, None)
        advance(single, [learner.config], range(4))
        torch.testing.assert_close(single.right_sums, right_sum.unsqueeze(0))


def test_no_number_of_the_gradient_is_larger_than_the_value_it_is_clipped_at() -> None:
    """A step of SGD at the learning rate 1 moves no weight further."""
    learner = make_learner("training.clip_value=0.001", "optimizer=sgd", "optimizer.lr=1")
    before = [weight.detach().clone() for weight in learner.model.parameters()]
    advance(Single(learner, None), [learner.config], range(1))
    moved = [(a - b).abs() for a, b in zip(learner.model.parameters(), before, strict=True)]
    assert max(float(m.detach().max()) for m in moved) == pytest.approx(0.001, rel=1e-3)


def test_the_best_weights_may_be_those_of_the_least_loss(tmp_path: Path, run_in: RunIn) -> None:
    """A step that lowers the loss need not raise the accuracy."""
    words = ("training.evaluate=best", "training.eval_every=1", "optimizer.lr=0.05")
    _, folder = run_in(tmp_path / "a", *words, "training.best=valid/loss")
    rows, result = folder.metrics(), folder.result()
    best = min(rows, key=lambda row: row["valid/loss"])
    assert result["best"] == {"valid/loss": best["valid/loss"], "step": best["step"]}
    assert result["metrics"]["valid/accuracy"] == best["valid/accuracy"]


def test_a_small_improvement_is_none_for_early_stopping(tmp_path: Path, run_in: RunIn) -> None:
    words = ("training.early_stop=2", "training.best=valid/loss", "training.eval_every=1")
    _, stopped = run_in(tmp_path / "a", *words, "training.min_delta=9")
    assert stopped.result()["is_stopped_early"]
    assert stopped.result()["steps"] == 3
    assert stopped.result()["best"]["step"] == 1


def test_an_improvement_must_exceed_the_smallest_one() -> None:
    """In the direction of the metric."""
    higher, lower = Choice("a", True, 0.5), Choice("b", False, 0.5)
    assert [higher.is_better(v, 1.0) for v in (1.5, 1.6)] == [False, True]
    assert [lower.is_better(v, 1.0) for v in (0.5, 0.4)] == [False, True]


def test_the_default_goes_by_the_metric_of_the_data_set(tmp_path: Path, run_in: RunIn) -> None:
    """Naming it changes no number."""
    words = ("training.evaluate=best", "training.eval_every=3")
    _, auto = run_in(tmp_path / "auto", *words)
    _, named = run_in(tmp_path / "named", *words, "training.best=valid/accuracy")
    same(auto, named)
    assert "best" not in auto.record()["config"]["training"]


def test_a_number_is_better_than_none() -> None:
    """Where the first evaluation has no value, such as r2 of a constant, the next one counts."""
    for is_higher_better in (True, False):
        choice = Choice("valid/r2", is_higher_better, 0.0)
        assert choice.is_better(0.5, math.nan)
        assert not choice.is_better(math.nan, 0.5)
        assert not choice.is_better(math.nan, math.nan)
