"""Ranks of cells over several tasks: mean ranks, Friedman's test, Nemenyi's critical difference.

Values of different tasks have no common unit, so only ranks are averaged, never differences.

Source: Demsar 2006, Statistical comparisons of classifiers over multiple data sets, JMLR 7.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mnist_seq.stats.intervals import Interval

FEWEST_TASKS = 5  # from which Friedman's test and the critical difference are computed
FEWEST_CELLS = 3
NUM_RESAMPLES = 2_000


@dataclass(frozen=True)
class Friedman:
    """Friedman's test over n tasks and k cells, and Nemenyi's comparison of all pairs after it.

    Attributes:
        statistic: chi-squared with k - 1 degrees of freedom, corrected for ties.
        critical_difference: mean ranks that are further apart belong to different cells.
        groups: positions of cells, best first, that are not told apart; each as large as it can
            be. Where p is not below alpha, all cells are one group.
    """

    statistic: float
    p: float
    alpha: float
    num_tasks: int
    critical_difference: float
    groups: tuple[tuple[int, ...], ...]


def ranks(
    values: Float[np.ndarray, "K T"], higher_is_better: Sequence[bool]
) -> Float[np.ndarray, "K T"]:
    """Rank of each of K cells on each of T tasks: 1 is best, equal values share their mean rank.

    Raises:
        ValueError: a NaN, or not one direction a task.
    """
    if np.isnan(values).any() or values.shape[1:] != (len(higher_is_better),):
        raise ValueError(
            "each cell has a value on each task, none NaN, and each task a direction, but the "
            f"shape is {values.shape} with {len(higher_is_better)} directions; leave out cells "
            "that lack a task"
        )
    costs = np.where(np.asarray(higher_is_better, dtype=bool), -values, values)
    above = (costs[:, None, :] > costs[None, :, :]).sum(axis=1)
    same = (costs[:, None, :] == costs[None, :, :]).sum(axis=1)
    return np.asarray(above + (same + 1) / 2, dtype=np.float64)


def mean_rank_intervals(
    seeds: Sequence[Float[np.ndarray, "K _"]], higher_is_better: Sequence[bool], *, level: float
) -> list[Interval]:
    """Bootstrap interval of the mean rank of each cell, over the seeds of these very tasks.

    All cells of a task get the same resampled seeds, since they are paired by seed. The intervals
    say how far seeds move the mean ranks; they do not cover other tasks.

    Args:
        seeds: for each task, the values [K, N] of K cells at N common seeds.
    """
    draw = np.random.RandomState(0)  # its numbers are frozen for all versions of NumPy
    means = np.stack(
        [
            values[:, draw.randint(values.shape[1], size=(NUM_RESAMPLES, values.shape[1]))].mean(-1)
            for values in seeds
        ],
        axis=-1,
    )  # [K, resamples, T]
    resampled = np.stack(
        [ranks(means[:, i], higher_is_better).mean(axis=1) for i in range(NUM_RESAMPLES)]
    )
    tail = 50 * (1 - level)
    ends = np.percentile(resampled, [tail, 100 - tail], axis=0)
    return [Interval(float(low), float(high), level, "bootstrap") for low, high in ends.T]


def friedman(ranked: Float[np.ndarray, "K T"], *, alpha: float) -> Friedman:
    """Friedman's test on ranks, each task one block, and Nemenyi's critical difference.

    Raises:
        ValueError: fewer than `FEWEST_CELLS` cells or `FEWEST_TASKS` tasks.
    """
    num_cells, num_tasks = ranked.shape
    if num_cells < FEWEST_CELLS or num_tasks < FEWEST_TASKS:
        raise ValueError(
            f"Friedman's test needs {FEWEST_CELLS} cells and {FEWEST_TASKS} tasks, but there are "
            f"{num_cells} and {num_tasks}; add some"
        )
    if (ranked == ranked[0]).all():  # all cells tie on all tasks
        statistic, p = 0.0, 1.0
    else:
        from scipy.stats import friedmanchisquare  # half a second to import

        found = friedmanchisquare(*ranked)
        statistic, p = float(found.statistic), float(found.pvalue)
    apart = critical_difference(num_cells, num_tasks, alpha=alpha)
    means = ranked.mean(axis=1)
    order = tuple(int(i) for i in np.argsort(means, kind="stable"))
    groups = (order,) if p >= alpha else _groups(means, order, apart)
    return Friedman(statistic, p, alpha, num_tasks, apart, groups)


def critical_difference(num_cells: int, num_tasks: int, *, alpha: float) -> float:
    """Nemenyi's: the difference of two mean ranks that chance exceeds with probability alpha."""
    from scipy.stats import studentized_range  # half a second to import

    q = float(studentized_range.ppf(1 - alpha, num_cells, math.inf)) / math.sqrt(2)
    return q * math.sqrt(num_cells * (num_cells + 1) / (6 * num_tasks))


def _groups(
    means: Float[np.ndarray, " K"], order: Sequence[int], apart: float
) -> tuple[tuple[int, ...], ...]:
    """The longest stretches of the order whose ends are not further apart than `apart`."""
    found: list[tuple[int, ...]] = []
    end = 0
    for start in range(len(order)):
        last = start
        while last + 1 < len(order) and means[order[last + 1]] - means[order[start]] <= apart:
            last += 1
        if last > start and last + 1 > end:
            found.append(tuple(order[start : last + 1]))
            end = last + 1
    return tuple(found)
