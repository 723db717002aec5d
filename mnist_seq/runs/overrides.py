"""Writes overrides so that they can be typed on a command line."""

import re

_KEYWORDS = ("null", "true", "false", "nan", "inf")


def quoted(value: str) -> str:
    """A text value in the quotes that Hydra's grammar needs."""
    # Backslashes count as escapes only where a quote follows
    escaped = re.sub(r"(\\*)('|$)", lambda m: m[1] * 2 + ("\\'" if m[2] else ""), value)
    return f"'{escaped}'"


def override(key: str, text: str) -> str:
    """`key=text`; the text in quotes where Hydra would read it as something else."""
    is_plain = re.fullmatch(r"[\w./+-]+", text, re.ASCII) and text.lower() not in _KEYWORDS
    return f"{key}={text if is_plain and not _is_number(text) else quoted(text)}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
