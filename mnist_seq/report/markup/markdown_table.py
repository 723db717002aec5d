"""Tables and texts as Markdown; what users named must not become markup."""

import re
from collections.abc import Iterable, Sequence


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
    return "| " + " | ".join(text if raw else plain(text) for text in texts) + " |"


def plain(text: str) -> str:
    """A text that Markdown and the HTML in it show as it is."""
    one_line = " ".join(text.split())
    return re.sub(r"([\\`*_\[\]<>|#&])", r"\\\1", one_line)


def code(text: str) -> str:
    """A text between backticks."""
    return " ".join(text.replace("`", "'").split())
