"""Tables as Markdown; every text is escaped."""

from collections.abc import Iterable, Sequence

from mnist_seq.report.markup.escape import for_markdown


def markdown_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], numeric: Sequence[bool]
) -> str:
    """A table; numeric columns are set to the right."""
    lines = [
        _line(header),
        _line(["---:" if is_number else "---" for is_number in numeric], raw=True),
    ]
    return "\n".join([*lines, *(_line(row) for row in rows)])


def _line(texts: Sequence[str], *, raw: bool = False) -> str:
    return "| " + " | ".join(text if raw else for_markdown(text) for text in texts) + " |"
