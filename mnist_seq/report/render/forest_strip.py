"""A forest plot in characters: the interval of each difference on one axis, for wide terminals."""

import math

from mnist_seq.report.charts.extent import extent
from mnist_seq.report.texts import fmt, words
from mnist_seq.report.value import Report, Variant

ZERO, THICK, THIN = "│", "━", "─"
DECIDED, OPEN = "●", "○"  # the mean: filled where the verdict is decided
_CROSSED = {THICK: "┿", THIN: "┼"}
_MOST_TICKS = 6
_MARGIN = 0.25  # of the axis, at each side, for what reaches further than all intervals


class Strip:
    """The axis of a report's differences, and the drawing of each.

    Args:
        width: characters.
    """

    def __init__(self, report: Report, width: int) -> None:
        self.width = width
        self._low, self._high = extent(report.variants, more=_MARGIN, has_seeds=False)
        if not self._low < self._high:
            self._low, self._high = -1.0, 1.0
        self.ticks = _ticks(self._low, self._high)

    def head(self) -> str:
        """The numbers of the axis."""
        cells = [" "] * self.width
        end = 0  # where the last number ended
        for tick in self.ticks:
            text = fmt.plain(tick)
            start = min(max(0, self._place(tick) - len(text) // 2), self.width - len(text))
            if start >= end + bool(end):
                cells[start : start + len(text)] = text
                end = start + len(text)
        return "".join(cells)

    def drawn(self, variant: Variant) -> str:
        """The interval and the mean of a variant; the axis alone where it has no comparison."""
        cells = [" "] * self.width
        cells[self._place(0.0)] = ZERO
        if variant.compared is None:
            return "".join(cells)
        ends = variant.compared.comparison.interval
        if variant.compared.wide:
            self._fill(cells, variant.compared.wide.low, variant.compared.wide.high, THIN)
        self._fill(cells, ends.low, ends.high, THICK)
        is_decided = words.kind(variant) in words.DECIDED
        cells[self._place(variant.compared.comparison.difference)] = DECIDED if is_decided else OPEN
        return "".join(cells)

    def _fill(self, cells: list[str], low: float, high: float, mark: str) -> None:
        if not (math.isfinite(low) and math.isfinite(high)):
            return
        zero = self._place(0.0)
        for i in range(self._place(low), self._place(high) + 1):
            cells[i] = _CROSSED[mark] if i == zero else mark

    def _place(self, value: float) -> int:
        share = (value - self._low) / (self._high - self._low)
        return min(self.width - 1, max(0, round(share * (self.width - 1))))


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers from low to high, 0 among them."""
    rough = (high - low) / _MOST_TICKS
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(s * size for s in (1, 2, 5, 10) if s * size >= rough)
    return [step * i for i in range(math.ceil(low / step), math.floor(high / step) + 1)]
