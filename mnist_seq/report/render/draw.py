"""Draws Vega-Lite specifications as SVG and PNG, without a browser: a process beside the report's.

python -m mnist_seq.report.render.draw <folder> < {"name": specification, ...}
"""

import json
import sys
from pathlib import Path

import vl_convert

from mnist_seq.runs.files import write_bytes, write_text

VEGALITE = "6.4"  # of altair 6.3; vl-convert carries several
_PNG_SCALE = 1.5


def main() -> None:
    """Draw what stands in stdin into the folder of the first argument."""
    folder = Path(sys.argv[1])
    for name, specification in json.load(sys.stdin).items():
        svg = vl_convert.vegalite_to_svg(specification, vl_version=VEGALITE)
        write_text(folder / f"{name}.svg", svg)
        write_bytes(folder / f"{name}.png", vl_convert.svg_to_png(svg, scale=_PNG_SCALE))


if __name__ == "__main__":
    main()
