"""Confusions: which digit is taken for which."""

from typing import Any

import altair as alt

from mnist_seq.report.charts.base import INK, Figure, Panel, Tables, tooltip
from mnist_seq.report.evidence import Confusion
from mnist_seq.report.value import Report

MAX_PANELS = 12  # more are no longer read; baselines are first in the report's order
_ERRORS = "#D55E00"


def confusions(report: Report) -> Figure | None:
    """Errors a run of each variant, label by prediction."""
    found = report.predictions
    if found is None:
        return None
    shown = found.confusions[:MAX_PANELS]
    errors = [
        x for c in shown for i, row in enumerate(c.counts) for j, x in enumerate(row) if i != j
    ]
    most = max(errors, default=1.0)
    panels = tuple(Panel(_title(report, c), *_panel(c, most)) for c in shown)
    left = len(found.confusions) - len(shown)
    caption = (
        f"Mean number of the {found.num_images:,} test images a run with this label (row) that are "
        "read as another digit (column); right ones are left out. Darker is more, on one scale."
        + (f" {left} more variants are not drawn." if left else "")
    )
    return Figure("confusions", "Confusions", caption, panels)


def _panel(confusion: Confusion, most: float) -> tuple[Any, Tables]:
    tables = Tables()
    rows = [
        {"label": str(i), "prediction": str(j), "count": count, "text": f"{count:.1f}",
         "shown": f"{count:.0f}" if count >= 0.5 else ""}
        for i, row in enumerate(confusion.counts)
        for j, count in enumerate(row)
        if i != j
    ]  # fmt: skip
    base = alt.Chart(tables.add(rows)).encode(
        x=alt.X(
            "prediction:O", title="read as", axis=alt.Axis(labelAngle=0, orient="top", **_PLAIN)
        ),
        y=alt.Y("label:O", title="label", axis=alt.Axis(**_PLAIN)),
    )
    squares = base.mark_rect(color=_ERRORS).encode(
        fillOpacity=alt.FillOpacity(
            "count:Q", scale=alt.Scale(domain=[0, most], range=[0, 0.9]), legend=None
        ),
        tooltip=tooltip(label="label", prediction="read as", text="images a run"),
    )
    texts = base.mark_text(fontSize=9, color=INK).encode(text="shown:N")
    return alt.layer(squares, texts).properties(height=260), tables


def _title(report: Report, confusion: Confusion) -> str:
    return f"{report.variants[confusion.variant].name} (n={confusion.n})"


_PLAIN: dict[str, Any] = {"grid": False, "ticks": False, "domain": False}
