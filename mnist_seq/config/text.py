"""Text that a user typed and others will read: what a terminal would obey is no part of it."""

import unicodedata

# Overrides of the reading direction: what is shown then is not what is written
_TURNING = set("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def is_control(character: str) -> bool:
    """Whether it is a control character, half a surrogate pair, an end of line or turns others."""
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _TURNING


def printable(text: str) -> str:
    """A text with escapes such as \\x1b for its control characters; ends of lines stay."""
    return "".join(
        c.encode("unicode_escape").decode() if c != "\n" and is_control(c) else c for c in text
    )
