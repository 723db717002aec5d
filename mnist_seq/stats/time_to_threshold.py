"""Computes how long runs take to reach a threshold, where some never do."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class TimeToThreshold:
    """First times at which n runs reach a threshold; a run that never reaches it is censored.

    There is no mean on purpose: over the runs that reached the threshold, a mean would favour a
    variant whose slow runs fail.

    Attributes:
        threshold: in the unit of the metric.
        n: number of runs.
        num_reached: number of runs that reached the threshold.
        times: one a run, in the unit of the given times; NaN where censored.
        median_reached: over the runs that reached it; NaN if none did. Show `text` beside it.
        median_all: over all runs, where a censored run counts as later than all others; infinite
            where half or more are censored. It is fair only if all runs had the same budget.
    """

    threshold: float
    n: int
    num_reached: int
    times: tuple[float, ...]
    median_reached: float
    median_all: float

    @property
    def text(self) -> str:
        """Text for a table: "3 of 5 reached"."""
        return f"{self.num_reached} of {self.n} reached"


def time_to_threshold(
    times: Sequence[Float[np.ndarray, " _"]],
    values: Sequence[Float[np.ndarray, " _"]],
    threshold: float,
    *,
    higher_is_better: bool = True,
) -> TimeToThreshold:
    """Time of the first evaluation of each run at which its value has reached the threshold.

    Args:
        times: for each run, the steps or seconds of its evaluations, increasing.
        values: for each run, the metric at these times. A NaN never reaches the threshold. A run
            without evaluations is censored.
        threshold: reached by a value equal to it or better.
        higher_is_better: False for a metric that falls to the threshold, such as a loss.

    Raises:
        ValueError: no runs, a run with unequal numbers of times and values, or times that fall.
    """
    if len(times) != len(values) or len(times) == 0:
        raise ValueError(
            f"each run has times and values, but there are {len(times)} and {len(values)} runs; "
            "give at least one of both"
        )
    first = []
    for i, (run_times, run_values) in enumerate(zip(times, values, strict=True)):
        if run_times.shape != run_values.shape or (np.diff(run_times) < 0).any():
            raise ValueError(
                f"a run's times increase, one a value, but run {i} has {len(run_times)} times for "
                f"{len(run_values)} values or goes back; sort and merge its evaluations"
            )
        reached = run_values >= threshold if higher_is_better else run_values <= threshold
        first.append(float(run_times[reached.argmax()]) if reached.any() else math.nan)
    found = [t for t in first if not math.isnan(t)]
    late = sorted(math.inf if math.isnan(t) else t for t in first)
    middle_low, middle_high = late[(len(late) - 1) // 2], late[len(late) // 2]
    return TimeToThreshold(
        threshold=threshold,
        n=len(first),
        num_reached=len(found),
        times=tuple(first),
        median_reached=float(np.median(found)) if found else math.nan,
        median_all=(middle_low + middle_high) / 2,
    )
