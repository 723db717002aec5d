"""How long runs take to reach a threshold, when some never do."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class TimeToThreshold:
    """First times at which n runs reach a threshold; a run that never does is censored.

    There is no mean: over the runs that reached it, it would favour a variant whose slow runs fail.

    Attributes:
        times: one a run, in the unit given; NaN where censored.
        median_reached: over the runs that reached it, NaN if none did. Say `text` beside it.
        median_all: a censored run counts as later than all others; infinite where half or more
            are censored. Honest only where all runs had the same budget.
    """

    threshold: float
    n: int
    num_reached: int
    times: tuple[float, ...]
    median_reached: float
    median_all: float

    @property
    def text(self) -> str:
        """For a table: "3 of 5 reached"."""
        return f"{self.num_reached} of {self.n} reached"


def time_to_threshold(
    times: Sequence[Float[np.ndarray, " _"]],
    values: Sequence[Float[np.ndarray, " _"]],
    threshold: float,
    *,
    higher_is_better: bool = True,
) -> TimeToThreshold:
    """First evaluation of each run at which its value is at the threshold or beyond it.

    Args:
        times: per run, the steps or seconds of its evaluations, increasing.
        values: per run, the metric at these times. A NaN (diverged) never reaches a threshold; a
            run without evaluations is censored.
        higher_is_better: False where a value must fall to the threshold, as a loss does.

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
