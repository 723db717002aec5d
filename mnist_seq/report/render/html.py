"""report.html: one file that needs nothing else, neither a network nor the folder it lies in."""

import contextlib
import functools
import json
import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mnist_seq.report.charts.figure import Figure
from mnist_seq.report.markup.escape import for_html
from mnist_seq.report.markup.html_table import html_table
from mnist_seq.report.render.draw import VEGALITE
from mnist_seq.report.render.figures import panel_specifications
from mnist_seq.report.render.html_head import head, of_task, rule, verdicts
from mnist_seq.report.sections import Table, sections_of
from mnist_seq.report.value import Report
from mnist_seq.runs.files import write_text

_ASSETS = Path(__file__).resolve().parent / "assets"
# Nothing may be fetched, from anywhere; Vega compiles its expressions, hence unsafe-eval
_POLICY = (
    "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline' 'unsafe-eval'"
)


def render(report: Report, charts: Sequence[Figure]) -> str:
    """The page.

    Args:
        charts: of `figures.all_figures`.
    """
    specifications: list[dict[str, Any]] = []
    figures = {figure.name: figure for figure in charts}
    body = head(report) + (verdicts(report) if report.variants else rule(report))
    for section, part in sections_of(report):
        own = [figures[name] for name in section.figures if name in figures]
        body += "".join(_figure(figure, specifications) for figure in own)
        tables = [t for t in section.tables(report, part) if "html" in t.formats]
        body += "".join(_table(t, t.name or section.name(), is_below=bool(own)) for t in tables)
        body += section.more_html(report, part)
    body += "".join(of_task(task, own) for task, own in report.tasks.items())
    data = "".join(
        f'<script type="application/json" id="spec-{i}">{_json(spec)}</script>'
        for i, spec in enumerate(specifications)
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{for_html(_POLICY)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,">'
        f"<title>{for_html(report.title)}: comparison</title>"
        f"<style>{_asset('page.css')}</style></head>\n<body><main>{body}</main>\n"
        f"{data}\n<script>{_vega()}</script>\n<script>{_asset('page.js')}</script></body></html>\n"
    )


def _figure(figure: Figure, specifications: list[dict[str, Any]]) -> str:
    panels = []
    for title, specification in panel_specifications(figure):
        heading = f"<h3>{for_html(title)}</h3>" if title else ""
        place = f'<div class="chart" data-spec="spec-{len(specifications)}"></div>'
        panels.append(f'<div class="panel">{heading}{place}</div>')
        specifications.append(specification)
    kind = " single" if len(panels) == 1 else ""
    return (
        f'<section id="{figure.name}"><h2>{for_html(figure.title)}</h2><figure '
        f'class="{kind.strip()}">'
        f'<div class="panels{kind}">{"".join(panels)}</div>'
        f"<figcaption>{for_html(figure.caption)}</figcaption></figure></section>"
    )


def _table(table: Table, name: str, *, is_below: bool) -> str:
    """A section's table; below a figure, which has the title already."""
    title = "" if is_below else f"<h2>{for_html(table.title)}</h2>"
    wrap = [place for place, header in enumerate(table.header) if header in table.wrap]
    caption = f'<p class="caption">{for_html(table.caption)}</p>' if table.caption else ""
    return (
        f'<section id="{name}-table">{title}{html_table(table.header, table.rows, wrap)}'
        f"{caption}</section>"
    )


def _json(value: object) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _vega() -> str:
    """Vega, Vega-Lite and vega-embed as vl-convert carries them.

    To put them together takes more than a second, so the user's cache keeps them.
    """
    import vl_convert

    name = f"vega-{version('vl-convert-python')}-{VEGALITE}.js"
    try:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        kept = home / "mnist_seq" / name
        if kept.exists():
            return kept.read_text(encoding="utf-8")
    except (OSError, RuntimeError):  # no home, or none that can be read
        kept = None
    bundle = str(vl_convert.javascript_bundle(vl_version=VEGALITE))  # type: ignore[call-arg]
    bundle = bundle.replace("</script", "<\\/script").replace("<!--", "<\\!--")
    if kept is not None:
        with contextlib.suppress(OSError):
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_text(kept, bundle)
    return bundle


@functools.cache
def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")
