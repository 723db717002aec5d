"""Learning curves over the seeds of equal runs: mean and spread at some updates."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

_DIGITS = 6  # of the numbers of a curve
MOST_POINTS = 60  # of a curve
FEWEST_SEEDS = 3  # to compare runs with: the prediction interval of two is as wide as the metric

Finite = Annotated[float, Field(allow_inf_nan=False)]
Spread = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Curve(BaseModel):
    """A learning curve over n seeds.

    Attributes:
        metric: of metrics.jsonl, such as valid/accuracy.
        updates: where all n seeds have a value; at most `MOST_POINTS` of them.
        mean, sd: of the seeds there; sd is None where n = 1.
        lr: learning rate there; empty in older files.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: str
    updates: list[int]
    mean: list[Finite]
    sd: list[Spread | None]
    lr: list[Spread] = Field(default_factory=list)
    n: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _check_lengths(self) -> "Curve":
        """One value of each kind at each update."""
        num = len(self.updates)
        if not len(self.mean) == len(self.sd) == num or len(self.lr) not in (0, num):
            raise ValueError("a curve has one mean, sd and lr at each of its updates")
        if self.updates != sorted(set(self.updates)):
            raise ValueError("the updates of a curve rise")
        return self


def curve_of(runs: Sequence[Sequence[Mapping[str, Any]]], *, main: str) -> Curve:
    """Mean and spread over the seeds, at the updates where all have a value.

    Args:
        runs: lines of metrics.jsonl of each run.
        main: the metric that choices go by; on valid, on monitor, or else train/loss is taken.
    """
    last = runs[0][-1] if runs[0] else {}
    names = (f"valid/{main}", f"monitor/{main}", "train/loss")
    metric = next((name for name in names if last.get(name) is not None), "train/loss")
    by_run = [
        {int(line["step"]): line for line in lines if line.get(metric) is not None}
        for lines in runs
    ]
    steps = _thinned(sorted(set.intersection(*map(set, by_run))))
    values = np.array([[float(run[step][metric]) for step in steps] for run in by_run])  # [N, U]
    sds = values.std(axis=0, ddof=1).tolist() if len(runs) > 1 else [None] * len(steps)
    lines = [by_run[0][step] for step in steps]
    rates = [float(line["optimizer/lr"]) for line in lines if line.get("optimizer/lr") is not None]
    return Curve(
        metric=metric,
        updates=steps,
        mean=[_short(value) for value in values.mean(axis=0)],
        sd=[value if value is None else _short(value) for value in sds],
        lr=[_short(rate) for rate in rates] if len(rates) == len(steps) else [],
        n=len(runs),
    )


def _thinned(updates: Sequence[int]) -> list[int]:
    """At most `MOST_POINTS` of the updates, evenly spaced; the first and the last always."""
    num = min(len(updates), MOST_POINTS)
    last = len(updates) - 1
    return [updates[round(i * last / max(1, num - 1))] for i in range(num)]


def _short(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
