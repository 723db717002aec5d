"""What all charts share: colours and markers of series, scales, axes, tooltips, panels.

Ink is `currentColor`, so that one chart reads on a light page, a dark page and paper.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt

from mnist_seq.report.charts import style
from mnist_seq.report.texts import words
from mnist_seq.report.value import Report, Variant
from mnist_seq.runs.variants import ARM, NO_ARM

INK = "currentColor"
WIDTH, HEIGHT = 380, 260  # of one panel in a file; a page makes its panels as wide as there is room
PER_PANEL = 8  # variants of one cell or study: more lines cannot be told apart
ROW = 24  # height of a variant in charts with one line each

# No `opacity` where a fill or stroke has its own: drawing a picture takes ten times as long with it
_FAINT = "#88888840"
CONFIG: dict[str, Any] = {
    "font": "system-ui, 'Segoe UI', Helvetica, Arial, sans-serif",
    "background": "transparent",
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK, "titleColor": INK, "domainColor": "#888888", "tickColor": "#888888",
        "gridColor": _FAINT, "titleFontWeight": "normal", "labelFontSize": 11, "titleFontSize": 12,
        "labelLimit": 220,
    },
    "legend": {"labelColor": INK, "titleColor": INK, "labelFontSize": 12},
    "title": {"color": INK, "fontSize": 13, "fontWeight": "bold", "anchor": "start"},
}  # fmt: skip

# Legend of lines, with `Series.color` and `Series.dash`
LINE: dict[str, Any] = {
    "symbolType": "stroke", "symbolStrokeWidth": 2.5, "symbolSize": 400, "symbolOpacity": 1,
}  # fmt: skip


@dataclass(frozen=True)
class Series:
    """What colour and marker stand for: the arm of a study, else the cell, else the variant."""

    title: Literal["arm", "cell", "variant"]
    styles: dict[str, style.Style]

    def of(self, variant: Variant) -> str:
        """Name of a variant's series."""
        if self.title == "arm":
            return _arm(variant)
        return words.cell(variant.cell) if self.title == "cell" else variant.label

    def color(self, *, used: Sequence[Variant | str] = (), **legend: Any) -> alt.Color:
        """Encoding of `series` by colour, with a legend of those used (none: no legend).

        Layers of one chart must ask for one legend: Vega-Lite drops it where one asks for none.
        """
        scale = alt.Scale(domain=list(self.styles), range=[s.color for s in self.styles.values()])
        return alt.Color("series:N", scale=scale, legend=self._legend(used, legend))

    def shape(self, *, used: Sequence[Variant | str] = ()) -> alt.Shape:
        """Encoding of `series` by marker."""
        scale = alt.Scale(domain=list(self.styles), range=[s.marker for s in self.styles.values()])
        return alt.Shape("series:N", scale=scale, legend=self._legend(used, {}))

    def dash(self, *, used: Sequence[Variant | str] = (), **legend: Any) -> alt.StrokeDash:
        """Encoding of `series` by dash."""
        dashes = [list(s.dash) or [1, 0] for s in self.styles.values()]
        scale = alt.Scale(domain=list(self.styles), range=dashes)
        return alt.StrokeDash("series:N", scale=scale, legend=self._legend(used, legend))

    def _legend(self, used: Sequence[Variant | str], options: dict[str, Any]) -> alt.Legend | None:
        here = {v if isinstance(v, str) else self.of(v) for v in used}
        names = [name for name in self.styles if name in here]
        if not names or len(self.styles) < 2:
            return None
        columns = 4 if self.title == "cell" else 2
        shared = {"title": None, "orient": "top", "columns": columns, "symbolSize": 90,
                  "labelLimit": 170, "values": names, "symbolStrokeWidth": 0}  # fmt: skip
        return alt.Legend(**{**shared, **options})


def series_of(report: Report) -> Series:
    """The one meaning of colour in all figures of a report."""
    names = sorted(report.variants, key=lambda v: not v.is_baseline)
    if ARM in report.factor_keys:
        return Series("arm", style.variant_styles(_arm(v) for v in names))
    if len({v.cell for v in report.variants}) > 1:
        styles = style.cell_styles(v.cell for v in report.variants)
        return Series("cell", {words.cell(name): own for name, own in styles.items()})
    return Series("variant", style.variant_styles(v.label for v in names))


def axis_title(label: str, unit: str) -> str:
    """A label with its unit, so that no axis goes without."""
    return f"{label} ({unit})" if unit else label


def spaced(*, is_log: bool, padding: int) -> alt.Scale:
    """A scale from the first value to the last, with room at both ends."""
    if is_log:
        return alt.Scale(type="log", nice=False, padding=padding)
    return alt.Scale(zero=False, nice=False, padding=padding)


def tooltip(**titles: str) -> list[alt.Tooltip]:
    """Fields with their titles; fields are texts already, written as everywhere else."""
    return [
        alt.Tooltip(f"{field}:N", title=title.replace("_", " ")) for field, title in titles.items()
    ]


def families(report: Report) -> list[tuple[str, list[Variant]]]:
    """Variants that share a panel: cells or arms at equal settings, or some of one cell."""
    by = series_of(report).title
    if by == "variant":
        return [("", members) for members in _beside_baseline(report.variants)]
    rest = [key for key in report.factor_keys if key not in ("model.name", ARM)]
    found: dict[str, list[Variant]] = {}
    for v in report.variants:
        name = ", ".join(
            words.setting(key, v.settings[key], rest) for key in rest if key in v.settings
        )
        found.setdefault(name, []).append(v)
    if by == "cell":
        return list(found.items())
    return [
        (name, members) for name, family in found.items() for members in _beside_baseline(family)
    ]


def _beside_baseline(variants: Sequence[Variant]) -> list[list[Variant]]:
    """So many variants at a time, the baseline with each of them."""
    base = [v for v in variants if v.is_baseline]
    others = [v for v in variants if not v.is_baseline]
    size = max(1, PER_PANEL - len(base))
    chunks = [others[i : i + size] for i in range(0, len(others), size)] or [[]]
    return [[*base, *chunk] for chunk in chunks]


def _arm(variant: Variant) -> str:
    """The arm; of a variant that is none, its cell."""
    arm = variant.settings.get(ARM, NO_ARM[1])
    return words.cell(variant.cell) if arm in NO_ARM else arm


def short(key: str, keys: Sequence[str]) -> str:
    """Last part of a key where no other ends alike; the group's name for an option."""
    key_of_group = key.removesuffix(".name")
    last = key_of_group.rsplit(".", 1)[-1]
    return last if sum(k.removesuffix(".name").endswith(last) for k in keys) == 1 else key_of_group
