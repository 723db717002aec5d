"""How far the axis of a forest plot reaches."""

import math
from collections.abc import Iterable

from mnist_seq.report.value import Variant


def extent(
    variants: Iterable[Variant], *, more: float = 1.0, has_seeds: bool = True
) -> tuple[float, float]:
    """From the lowest to the highest of the differences, 0 among them.

    Args:
        more: how far beyond all else an interval that covers all comparisons at once may reach, as
            a share of the rest; with 2 seeds it is so wide that nothing else would be seen.
        has_seeds: whether single seeds are drawn too.
    """
    own, wide = [0.0], [0.0]
    for v in variants:
        own += [x for _, x in v.pairs if has_seeds]
        if v.compared:
            ends = v.compared.comparison.interval
            own += [v.compared.comparison.difference, ends.low, ends.high]
            if v.compared.wide:
                wide += [v.compared.wide.low, v.compared.wide.high]
    own, wide = ([x for x in values if math.isfinite(x)] for values in (own, wide))
    low, high = min(own), max(own)
    room = more * (high - low)
    return max(min(low, *wide, 0.0), low - room), min(max(high, *wide, 0.0), high + room)


def is_cut(variants: Iterable[Variant], *, more: float = 1.0) -> bool:
    """Whether an interval for all comparisons reaches beyond the axis."""
    some = list(variants)
    low, high = extent(some, more=more)
    wide = [v.compared.wide for v in some if v.compared and v.compared.wide]
    return any(end.low < low or end.high > high for end in wide)
