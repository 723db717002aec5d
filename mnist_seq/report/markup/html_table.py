"""Tables as HTML; every text is escaped."""

from collections.abc import Iterable, Sequence

from mnist_seq.report.markup.escape import for_html


def html_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], wrap: Sequence[int] = ()
) -> str:
    """A table; the first cell of a row heads it.

    Args:
        wrap: positions of columns whose texts may break over lines.
    """
    heads = "".join(f'<th scope="col">{for_html(text)}</th>' for text in header)
    body = "".join(
        "<tr>"
        + "".join(
            f'<th scope="row">{for_html(text)}</th>' if i == 0
            else f'<td class="wrap">{for_html(text)}</td>' if i in wrap
            else f"<td>{for_html(text)}</td>"
            for i, text in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )  # fmt: skip
    top = f"<thead><tr>{heads}</tr></thead>" if any(header) else ""
    return f'<div class="scroll"><table>{top}<tbody>{body}</tbody></table></div>'
