"""Draws pictures side by side with lines of text below each, as one picture."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE, GAP, LINE, TEXT = 168, 24, 34, 26  # pixels; twice those of a screen
_MOST_COLUMNS = 8
_PAPER, _INK, _PALE, _BAR = "#ffffff", "#1a1a1a", "#666666", "#0072b2"


def draw(
    pictures: np.ndarray,
    lines: Sequence[Sequence[str]],
    *,
    shares: Sequence[Sequence[float]] | None = None,
) -> "Image":
    """A sheet of pictures.

    Args:
        pictures: bytes [N, H, W].
        lines: texts below each picture; a text that is too long is cut.
        shares: beside each text, a number from 0 to 1 that is drawn as a bar; NaN for none.
    """
    from PIL import Image, ImageDraw, ImageFont

    columns = min(len(pictures), _MOST_COLUMNS)
    rows = math.ceil(len(pictures) / columns)
    num_lines = max(map(len, lines))
    width, height = SIDE + GAP, SIDE + num_lines * LINE + GAP + GAP // 2
    sheet = Image.new("RGB", (columns * width + GAP, rows * height + GAP // 2), _PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(TEXT)
    for i, picture in enumerate(pictures):
        left, top = GAP + i % columns * width, GAP + i // columns * height
        shown = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.NEAREST)
        sheet.paste(shown, (left, top))
        for k, text in enumerate(lines[i]):
            y = top + SIDE + 4 + k * LINE
            share = shares[i][k] if shares else math.nan
            if math.isfinite(share):
                pen.rectangle((left, y + LINE - 6, left + share * SIDE, y + LINE - 3), fill=_BAR)
            cut = text
            while cut and pen.textlength(cut, font) > SIDE:
                cut = f"{cut.removesuffix('…')[:-1]}…"
            pen.text((left, y), cut, _INK if k == 0 else _PALE, font)
    return sheet
