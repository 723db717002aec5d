"""Escapes control characters in text of users, so that a terminal shows it and does not obey it."""

import unicodedata

# what XML lacks, and overrides of the reading direction: the shown text then differs from the
# written one
_NOT_SHOWN = set(
    "\ufffe\uffff\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)


def is_control(character: str) -> bool:
    """Whether a character is a control character, half a surrogate pair, or changes direction."""
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _NOT_SHOWN


def printable(text: str) -> str:
    """A text with escapes such as \\x1b for its control characters; ends of lines stay."""
    if text.isascii() and text.isprintable():  # nearly all texts, of which a report has thousands
        return text
    return "".join(
        c.encode("unicode_escape").decode() if c != "\n" and is_control(c) else c for c in text
    )


def in_one_line(text: str) -> str:
    """The same with the ends of lines escaped too."""
    return printable(text).replace("\n", "\\n")


def reads_as_number(text: str) -> bool:
    """Whether Python reads a text as a number: "1e3", "inf"."""
    try:
        float(text)
    except ValueError:
        return False
    return True
