"""What is read of a run along the way, and what chooses its best weights."""

import math
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mnist_seq.runs.errors import Interrupted
from mnist_seq.runs.events import Ended
from mnist_seq.runs.folder import RunFolder
from mnist_seq.trained.run import load_run
from mnist_seq.training.batched.stack import Stack
from mnist_seq.training.loop.best import Choice, Kept
from mnist_seq.training.loop.program import Single
from mnist_seq.training.loop.step import Average
from mnist_seq.training.run import Job, train_stack
from tests.tasks.made import locate
from tests.training.conftest import make_config
from tests.training.learners import advance, make_learner
from tests.training.test_run import StopAt, same

RunIn = Callable[..., tuple[Ended, RunFolder]]


def stack_of(root: Path, runs: list[tuple[str, ...]]) -> list[Job]:
    """Jobs in folders of their own."""
    folders = [RunFolder(root / f"stacked{i}") for i in range(len(runs))]
    for folder in folders:
        folder.path.mkdir()
    located = locate("mnist_5k", Path("data"))
    return [Job(make_config(*own), located, folder, "")
            for own, folder in zip(runs, folders, strict=True)]  # fmt: skip


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


def test_the_weights_of_the_best_evaluations_are_kept(tmp_path: Path, run_in: RunIn) -> None:
    """By value, also where improvements count as none; no number moves, in a resume as well."""
    words = ("training.eval_every=1", "training.checkpoint_every=4", "training.min_delta=0.9")
    _, plain = run_in(tmp_path / "plain", *words)
    keeping = (*words, "training.keep_best=3")
    with pytest.raises(Interrupted):
        run_in(tmp_path / "run", *keeping, listeners=[StopAt(6, signal.SIGTERM)])
    _, folder = run_in(tmp_path / "run", *keeping)
    same(plain, folder)
    values = {row["step"]: row["valid/accuracy"] for row in folder.metrics()}
    best = sorted(values, key=lambda step: (-values[step], step))[:3]
    assert folder.kept() == {step: folder.kept_path(step, values[step]) for step in sorted(best)}


def test_a_resume_finds_the_weights_that_were_best_at_its_checkpoint(tmp_path: Path) -> None:
    """They stay until the next checkpoint; those of evaluations that are repeated go."""
    folder, choice, net = (
        RunFolder(tmp_path),
        Choice("valid/loss", False, 0.0),
        torch.nn.Linear(1, 1),
    )

    def evaluate(kept: Kept, step: int, loss: float) -> None:
        kept.add(step, loss, net)
        folder.append_metrics({"step": step, "valid/loss": loss, "seconds": 0.0})

    kept = Kept(folder, choice, 1)
    evaluate(kept, 1, 0.5)
    evaluate(kept, 2, math.nan)
    kept.prune()  # a checkpoint
    evaluate(kept, 3, 0.4)
    evaluate(kept, 4, 0.3)
    assert [*folder.kept()] == [1, 4]
    folder.rewind_metrics(2)
    Kept(folder, choice, 1).restore()
    assert [*folder.kept()] == [1]


def test_the_rate_of_each_run_falls_by_its_own_validation(tmp_path: Path, run_in: RunIn) -> None:
    """Within an epoch, in a stack as alone."""
    words = ("training.eval_every=2", "optimizer.lr=0.05", "schedule=plateau", "schedule.gamma=0.5",
             "training.min_delta=9")  # fmt: skip
    each = [("schedule.patience=1",), ("schedule.patience=3",)]
    rates = []
    for i, own in enumerate(each):
        _, folder = run_in(tmp_path / f"{i}", *words, *own)
        rates.append([row["optimizer/lr"] for row in folder.metrics()])
    assert rates == [[0.05, 0.05, 0.025, 0.0125, 0.00625], [0.05, 0.05, 0.05, 0.05, 0.025]]
    jobs = stack_of(tmp_path, [(*words, *own) for own in each])
    train_stack(jobs, [[], []], share=0.0)
    assert [[row["optimizer/lr"] for row in j.folder.metrics()] for j in jobs] == rates


def test_an_average_weighs_the_weights_after_each_step_by_their_age() -> None:
    """The first weights do not count. Evaluations leave the net's own as they were."""
    net = torch.nn.Linear(3, 2)
    average, seen = Average(net, 0.9, None), []
    for n in range(1, 6):
        for weight in net.parameters():
            weight.data = torch.randn(weight.shape)
        average.update(n)
        seen.append(net.weight.detach().clone())
    ages = torch.tensor([0.9**k for k in reversed(range(5))])
    wanted = sum(age * weight for age, weight in zip(ages / ages.sum(), seen, strict=True))
    with average.used():
        torch.testing.assert_close(net.weight.detach(), wanted)
    assert torch.equal(net.weight, seen[-1])


def test_a_run_is_evaluated_with_its_average_and_trains_as_without(
    tmp_path: Path, run_in: RunIn
) -> None:
    """The checkpoint holds both; natively and in a stack the average is the same to rounding."""
    words = ("training.eval_every=5", "seed=1", "device.kernel=torch")
    averaged = (*words, "training.ema=0.7")
    _, plain = run_in(tmp_path / "plain", *words)
    _, alone = run_in(tmp_path / "alone", *averaged)
    saved = [torch.load(f.checkpoint_path, weights_only=True) for f in (plain, alone)]
    for name, weight in saved[0]["model"].items():
        assert torch.equal(weight, saved[1]["model"][name])
    tested = torch.load(alone.model_path, weights_only=True)
    assert all(torch.equal(tested[name], saved[1]["average"][name]) for name in tested)
    assert not torch.equal(tested["head.weight"], saved[1]["model"]["head.weight"])
    losses = [[row["train/loss"] for row in folder.metrics()] for folder in (plain, alone)]
    assert losses[0] == losses[1]
    last = load_run(alone.path).model("last").state_dict()
    assert all(torch.equal(tested[name], last[name]) for name in tested)
    _, native = run_in(tmp_path / "native", *averaged, "device.kernel=native")
    jobs = stack_of(tmp_path, [averaged, (*averaged, "seed=2")])
    train_stack(jobs, [[], []], share=0.0)
    for folder in (native, jobs[0].folder):
        found = torch.load(folder.model_path, weights_only=True)
        torch.testing.assert_close(found, tested, rtol=1e-3, atol=1e-4)
        value = folder.result()["metrics"]["test/loss"]
        assert value == pytest.approx(alone.result()["metrics"]["test/loss"], rel=1e-3, abs=1e-4)
