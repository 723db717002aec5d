"""What a comparison is asked for, and the checks of it that need no runs."""

import math
from dataclasses import dataclass
from typing import Literal

from mnist_seq.report.read.errors import CannotCompare
from mnist_seq.report.read.select import Duplicates, parse_filter
from mnist_seq.stats import Correction
from mnist_seq.stats.verdicts import Test

AUTO = "auto"
Importances = Literal["auto", "all", "none"]
Pairs = Literal["baseline", "all"]


@dataclass(frozen=True)
class Options:
    """What a comparison is asked for; `conf/compare.yaml` explains the keys."""

    baseline: str = AUTO
    where: str = "all"
    metric: str = AUTO
    level: float = 0.95
    alpha: float = 0.05
    power: float = 0.8
    margin: float | Literal["auto"] | None = "auto"
    test: Test = "t"
    correction: Correction = "holm"
    wilcoxon: bool = False
    duplicates: Duplicates = "refuse"
    thresholds: tuple[float, ...] = (0.97, 0.98)
    select: str = AUTO
    over: tuple[str, ...] = ()
    importance: Importances = "auto"
    pairs: Pairs = "baseline"
    allow_incomplete: bool = False


def check_options(options: Options) -> None:
    """Refuses what no runs could be compared by.

    Raises:
        CannotCompare: a value out of its range, or a baseline that sets a tuned key.
    """
    by_hand = {} if options.baseline == AUTO else parse_filter(options.baseline, "baseline")
    if named := [key for key in by_hand if key in options.over]:
        raise CannotCompare(
            f"a baseline has its own best values too: baseline={options.baseline!r} sets "
            f"{named[0]}, which over tunes; leave it out"
        )
    for name in ("level", "alpha", "power"):
        value = getattr(options, name)
        if not 1e-6 <= value <= 1 - 1e-6:  # nearer than that, 1 - value is no number apart
            raise CannotCompare(
                f"{name} must lie between 0 and 1: {name}={value}; write 0.95 for 95 %"
            )
    if isinstance(options.margin, float | int) and not 0 < options.margin < math.inf:
        raise CannotCompare(
            f"margin must be positive, in the metric's unit: margin={options.margin}; write "
            "margin=0.1 for 0.1 points, or margin=none"
        )
