"""Tables as HTML; every text is escaped."""

import re
from collections.abc import Iterable, Sequence

from mnist_seq.report.markup.escape import for_html

_NUMBER = re.compile(r"[+\-\u2212]?[\d.,]+.{0,3}|[\[(].*\d.*[\])]|\u2013|∞|")


def html_table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    wrap: Sequence[int] = (),
    *,
    caption: str = "",
) -> str:
    """A table; the first cell of a row heads it. Columns of numbers stand at the right.

    Args:
        wrap: positions of columns whose texts may break over lines.
        caption: what the table is, for who does not see it.
    """
    body = [list(row) for row in rows]
    columns = list(zip(*body, strict=True)) if body else [() for _ in header]
    right = {i for i, texts in enumerate(columns) if i and all(map(_NUMBER.fullmatch, texts))}

    def css(place: int) -> str:
        names = ["r"] * (place in right) + ["wrap"] * (place in wrap)
        return f' class="{" ".join(names)}"' if names else ""

    heads = "".join(
        f'<th scope="col"{css(i)}>{for_html(text)}</th>' if text else "<td></td>"
        for i, text in enumerate(header)
    )
    lines = "".join(
        "<tr>"
        + "".join(
            f'<th scope="row"{css(0)}>{for_html(text)}</th>' if i == 0
            else f"<td{css(i)}>{for_html(text)}</td>"
            for i, text in enumerate(row)
        )
        + "</tr>"
        for row in body
    )  # fmt: skip
    top = f"<thead><tr>{heads}</tr></thead>" if any(header) else ""
    name = for_html(caption) if caption else "Table"
    said = f'<caption class="vh">{name}</caption>' if caption else ""
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{name}"><table>{said}{top}'
        f"<tbody>{lines}</tbody></table></div>"
    )
