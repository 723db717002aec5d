"""Draws Vega-Lite specifications as SVG, PNG and PDF, without a browser: a process of its own.

python -m mnist_seq.report.render.draw <folder> < {"name": specification or SVG, ...}

Prints a line [name, why it cannot be drawn or ""] for each. A character that SVG lacks ends the
process, since the library aborts: the figure after the last line is the one.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import vl_convert

from mnist_seq.runs.files import write_bytes, write_text

VEGALITE = "6.4"  # of altair 6.3; vl-convert carries several
_PNG_SCALE = 1.5
_POINTS = re.compile(r'(width|height)="([\d.]+)pt"')


def _svg_of(specification: Any) -> str:
    return str(vl_convert.vegalite_to_svg(specification, vl_version=VEGALITE))


def main() -> None:
    """Draw what stands in stdin into the folder of the first argument."""
    folder = Path(sys.argv[1])
    for name, specification in json.load(sys.stdin).items():
        reason = ""
        try:
            is_svg = isinstance(specification, str)
            svg = specification if is_svg else _svg_of(specification)
            # the library takes pixels for the points of a PDF
            sized = _POINTS.sub(r'\1="\2"', svg, count=2) if is_svg else svg
            png = vl_convert.svg_to_png(sized, scale=_PNG_SCALE * (2 if is_svg else 1))
            pdf = vl_convert.svg_to_pdf(sized)
        except ValueError as error:
            reason = " ".join(str(error).split())
        else:
            write_text(folder / f"{name}.svg", svg)
            write_bytes(folder / f"{name}.png", png)
            write_bytes(folder / f"{name}.pdf", pdf)
        print(json.dumps([name, reason]), flush=True)


if __name__ == "__main__":
    main()
