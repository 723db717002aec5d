"""Runs that have learnt nothing: finished, and no better than a guess."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mnist_seq.report.read.collect import Run
from mnist_seq.report.read.metric import Metric
from mnist_seq.stats import guess_p

ALPHA = 0.01  # of the test of one run; a net that learns anything is far beyond it
NUM_CLASSES = 10  # of every data set, where no run has the labels to count them


def chance_of(runs: Sequence[Run]) -> float:
    """Accuracy of a guess: the share of the most frequent class among the test labels."""
    found = next((run.predictions for run in runs if run.predictions is not None), None)
    if found is None or not len(found[0]):
        return 1 / NUM_CLASSES
    counts = np.bincount(found[0].astype(np.int64))
    return float(counts.max() / counts.sum()) if (counts > 0).sum() > 1 else 1 / NUM_CLASSES


def guess(metric: Metric, chance: float) -> float:
    """What a guess gets, in the unit that people read; it stands for a run that diverged."""
    return chance * metric.scale if metric.higher_is_better else math.log(NUM_CLASSES)


def not_learning(runs: Sequence[Run], chance: float) -> dict[Path, str]:
    """Finished runs that cannot be told from a guess at any evaluation, each with what it reached.

    The best accuracy on valid is tested, one-sided and binomial, against that of a guess, and
    adjusted for the number of evaluations; on test, once, where nothing was set aside for valid.
    """
    found = {}
    for run in runs:
        if run.state != "finished" or (best := _best(run)) is None:
            continue
        split, accuracy, n, num_looks = best
        if guess_p(accuracy, n, guess=chance, num_evaluations=num_looks) >= ALPHA:
            found[run.folder] = (
                f"best {split} accuracy {100 * accuracy:.2f} % of n={n:,}, a guess has "
                f"{100 * chance:.2f} %"
            )
    return found


def _best(run: Run) -> tuple[str, float, int, int] | None:
    """Split, best accuracy, its examples, and the number of evaluations; None where unknown."""
    tests = [run.metrics[key] for key in ("test/accuracy",) if key in run.metrics]
    for split, values in (("valid", run.evaluations("valid/accuracy").values()), ("test", tests)):
        accuracies = [value for value in values if 0 <= value <= 1]
        n = run.data.get(f"num_{split}")
        if accuracies and isinstance(n, int) and n > 0:
            return split, max(accuracies), n, len(accuracies)
    return None
