"""What a guess gets on a task, and runs that are not shown to be better than it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mnist_seq.report.read.metric import Metric, metric_of, task_of
from mnist_seq.report.read.run import Run
from mnist_seq.report.read.task_record import TaskRecord
from mnist_seq.stats import guess_p, squared_error_p

ALPHA = 0.01  # of the test of one run; a net that learns anything is far beyond it


@dataclass(frozen=True)
class Guess:
    """What the best answer that ignores the input gets.

    Attributes:
        values: by the name of the metric, as files hold them.
    """

    task: TaskRecord
    values: Mapping[str, float]

    def of(self, metric: Metric) -> float:
        """In the unit that people read; it stands for a run that diverged.

        Where nobody knows it, it is the worst that there is.
        """
        worst = 0.0 if metric.higher_is_better else math.inf
        return self.values.get(metric.last_name, worst) * metric.scale


def guess_of(runs: Sequence[Run]) -> Guess:
    """What run.json says; of runs before that, what follows from the labels of the test set."""
    task = task_of(runs)
    if task.guess:
        return Guess(task, task.guess)
    accuracy, loss = 1 / task.num_outputs, math.log(task.num_outputs)
    found = next((run.classes for run in runs if run.classes is not None), None)
    if found is not None and len(found[0]):
        counts = np.bincount(found[0].astype(np.int64))
        accuracy = float(counts.max() / counts.sum()) if (counts > 0).sum() > 1 else accuracy
    return Guess(task, {"accuracy": accuracy, "loss": loss})


def not_learning(runs: Sequence[Run], guess: Guess) -> dict[Path, str]:
    """Finished runs that are not shown to learn, each with what it reached.

    A run is named only where valid and test both leave it open whether it is better than a guess.

    Of a task with an accuracy, the best one on valid, adjusted for the number of evaluations, and
    the one on test are tested, one-sided and binomial, against that of a guess, or of a plateau
    that the task names, such as one of the values that occurred. Sequences are
    counted, not time steps: the answers of one sequence depend on each other.

    Of a task with values, the squared errors of the test sequences, each a mean over its counted
    time steps, are tested against those of a guess, one-sided and paired. Where the predictions
    cannot be read, the best value on valid has to be better than a guess, and nothing is tested.
    """
    is_share = guess.task.metrics[guess.task.main].is_share
    reason = _why_share_is_a_guess if is_share else _why_error_is_a_guess
    found = {run.folder: reason(run, guess) for run in runs if run.state == "finished"}
    return {folder: why for folder, why in found.items() if why}


def _why_share_is_a_guess(run: Run, guess: Guess) -> str:
    """Why a run is not shown to learn; "" where it is, or where nobody knows."""
    main, (nothing, chance) = guess.task.main, _highest(guess)
    sequences = " sequences" if guess.task.per_step else ""
    seen = []
    for split, accuracies in _evaluations(run, main):
        n = run.data.get(f"num_{split}")
        values = [value for value in accuracies if 0 <= value <= 1]
        if not values or not isinstance(n, int) or n <= 0:
            continue
        best = max(values)
        if guess_p(best, n, guess=chance, num_evaluations=len(values)) < ALPHA:
            return ""
        first = "best " if split == "valid" else ""
        seen.append(f"{first}{split} {main} {100 * best:.2f} % of n={n:,}{sequences}")
    return f"{' and '.join(seen)}, {nothing} has {100 * chance:.2f} %" if seen else ""


def _highest(guess: Guess) -> tuple[str, float]:
    """A guess or a plateau of the task, whichever has the higher share; in words, and the share."""
    shares = {"a guess": guess.values[guess.task.main], **guess.task.plateaus}
    return max(shares.items(), key=lambda item: item[1])


def _why_error_is_a_guess(run: Run, guess: Guess) -> str:
    """The same of a task that is judged by an error."""
    main = guess.task.main
    found = next(((split, values) for split, values in _evaluations(run, main) if values), None)
    if found is None or main not in guess.values:
        return ""
    metric = metric_of(f"{found[0]}/{main}", guess.task)
    best = (max if metric.higher_is_better else min)(found[1]) * metric.scale
    pairs = run.predictions
    if guess.task.output == "value" and pairs is not None and len(pairs[0]) > 1:
        targets, predictions = (values.reshape(len(values), -1) for values in pairs)
        p = squared_error_p(targets, predictions, _counted(run, pairs[0].shape))
        is_learning = p < ALPHA
    else:
        gain = best - guess.of(metric)
        is_learning = gain > 0 if metric.higher_is_better else gain < 0
    if is_learning:
        return ""
    return (
        f"best {metric.label} {best:.{metric.decimals}f}, a guess has "
        f"{guess.of(metric):.{metric.decimals}f}"
    )


def _counted(run: Run, shape: tuple[int, ...]) -> np.ndarray | None:
    """Which values of the flattened predictions count; None for all."""
    mask = run.mask
    if mask is None or mask.shape != shape[: mask.ndim]:
        return None
    wide = mask.reshape(*mask.shape, *(1,) * (len(shape) - mask.ndim))
    return np.broadcast_to(wide, shape).reshape(shape[0], -1)


def _evaluations(run: Run, name: str) -> list[tuple[str, list[float]]]:
    """Values of a metric on valid, at each evaluation, and on test, once."""
    on_test = run.metrics.get(f"test/{name}")
    return [
        ("valid", list(run.evaluations(f"valid/{name}").values())),
        ("test", [] if on_test is None else [on_test]),
    ]
