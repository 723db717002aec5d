"""Draws the pictures of the README from a finished sweep, and keeps its report in docs/gallery.

python docs/pictures/make.py outputs/sweeps/cells

Run it where the sweep was trained, so that its paths are short. It needs chromium for report.png.
"""

import io
import re
import shutil
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from mnist_seq.compare import build_from
from mnist_seq.report.options import Options
from mnist_seq.report.render.files import write
from mnist_seq.report.render.terminal import print_table
from mnist_seq.report.value import Report

HERE = Path(__file__).resolve().parent
GALLERY = HERE.parent / "gallery"
COLUMNS = 88
SIZE = (1240, 820)  # pixels of the top of the page


def main(sweep: Path, *, is_shown: bool) -> None:
    """Write gallery/<name>/report.html, and the pictures if the README shows this sweep."""
    report = build_from([sweep], Options())
    folder = GALLERY / sweep.name
    write(report, folder, formats=["html"])
    if is_shown:
        (HERE / "terminal.svg").write_text(terminal(report, sweep))
        screenshot(folder / "report.html", HERE / "report.png")


def terminal(report: Report, sweep: Path) -> str:
    """What `compare` prints, as SVG without fonts from the network."""
    console = Console(
        width=COLUMNS, record=True, file=io.StringIO(), force_terminal=True, color_system="standard"
    )
    command = f"$ python -m mnist_seq.compare sweep={sweep}"
    console.print(Text(command, "dim"), soft_wrap=True, highlight=False)
    print_table(report, console)
    svg = console.export_svg(title="mnist_seq")
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


def screenshot(page: Path, picture: Path) -> None:
    """The top of a page, as a browser draws it."""
    program = next(p for name in ("chromium", "google-chrome") if (p := shutil.which(name)))
    size = f"--window-size={SIZE[0]},{SIZE[1]}"
    subprocess.run(
        [program, "--headless=new", "--no-sandbox", "--hide-scrollbars", size,
         f"--screenshot={picture}", page.resolve().as_uri()],
        check=True, capture_output=True, timeout=300,
    )  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), is_shown="--for-readme" in sys.argv)
