"""report.html: one file that needs nothing else, neither a network nor the folder it lies in."""

import functools
import json
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from html import escape
from pathlib import Path
from typing import Any

from mnist_seq.report import html_parts as parts
from mnist_seq.report.charts import Figure
from mnist_seq.report.draw import VEGALITE
from mnist_seq.report.figures import panel_specifications
from mnist_seq.report.value import Report

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

    def drawn(*names: str) -> str:
        return "".join(_figure(figures[name], specifications) for name in names if name in figures)

    body = "".join(
        [
            parts.head(report),
            parts.verdicts(report),
            drawn("differences", "learning_curves", "costs", "factors"),
            parts.reached(report, drawn("thresholds")),
            drawn("confusions"),
            parts.digits(report),
            parts.models(report),
            parts.settings(report),
            parts.runs(report),
            parts.origins(report),
        ]
    )
    data = "".join(
        f'<script type="application/json" id="spec-{i}">{_json(spec)}</script>'
        for i, spec in enumerate(specifications)
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,">'
        f"<title>{escape(report.title)}: comparison</title>"
        f"<style>{_asset('page.css')}</style></head>\n<body><main>{body}</main>\n"
        f"{data}\n<script>{bundled().result()}</script>\n<script>{_asset('page.js')}</script></body></html>\n"
    )


def _figure(figure: Figure, specifications: list[dict[str, Any]]) -> str:
    panels = []
    for title, specification in panel_specifications(figure):
        heading = f"<h3>{escape(title)}</h3>" if title else ""
        place = f'<div class="chart" data-spec="spec-{len(specifications)}"></div>'
        panels.append(f'<div class="panel">{heading}{place}</div>')
        specifications.append(specification)
    kind = " single" if len(panels) == 1 else ""
    return (
        f'<section id="{figure.name}"><h2>{escape(figure.title)}</h2><figure '
        f'class="{kind.strip()}">'
        f'<div class="panels{kind}">{"".join(panels)}</div>'
        f"<figcaption>{escape(figure.caption)}</figcaption></figure></section>"
    )


def _json(value: object) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@functools.cache
def bundled() -> "Future[str]":
    """The page's libraries, on their way; begun early, they take a second of another core."""
    executor = ThreadPoolExecutor(1)
    future = executor.submit(_vega)
    executor.shutdown(wait=False)  # it ends by itself when the work is done
    return future


def _vega() -> str:
    """Vega, Vega-Lite and vega-embed as vl-convert carries them."""
    import vl_convert

    bundle = vl_convert.javascript_bundle(vl_version=VEGALITE)  # type: ignore[call-arg]
    return str(bundle).replace("</script", "<\\/script").replace("<!--", "<\\!--")


@functools.cache
def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")
