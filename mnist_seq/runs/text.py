"""Text for people: counts with their noun, errors in one line without secrets, long names cut."""

import hashlib
import math
import os
import re
from collections.abc import Sequence

from mnist_seq import system
from mnist_seq.config.text import is_control

_SECRET = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD)$", re.IGNORECASE)
_SHORTEST_SECRET = 8  # shorter values are words that occur in any text
_LONGEST_LINE = 300
LONGEST_NAME = 128  # characters that W&B takes for the name of a group or run


def plural(number: int, noun: str) -> str:
    """A count with its noun: "1 run", "2 runs"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def share(number: int, total: int, noun: str) -> str:
    """A part of a count: "3 of 4 runs", "1 of 1 run"."""
    return f"{number:,} of {plural(total, noun)}"


def duration(seconds: float) -> str:
    """A duration in words: "4.2 s", "3 min 20 s", "12 min", "2 h 05 min"; "unknown" for NaN."""
    if math.isnan(seconds):
        return "unknown"
    if seconds < 59.95:  # what is written as 60.0 s is a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s" if rest else f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest:02d} min" if rest else f"{hours} h"


def some(names: Sequence[str], most: int = 5) -> str:
    """Names in one line; of many, the first ones and how many more there are."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest:,} more" if rest > 0 else "")


def one_line(error: BaseException) -> str:
    """An error's type and message in one line, without the secrets of the environment."""
    return f"{type(error).__name__}: {cut(str(error)) or 'no message'}"


def cut(text: str) -> str:
    """The beginning of a text, in one line and without the secrets of the environment."""
    return " ".join(without_secrets(text).split())[:_LONGEST_LINE]


def without_secrets(text: str) -> str:
    """A text in which the values of variables such as WANDB_API_KEY are ***."""
    for name, value in os.environ.items():
        if _SECRET.search(name) and len(value) >= _SHORTEST_SECRET:
            text = text.replace(value, "***")
    return text


def fitting(name: str) -> str:
    """A name that W&B takes: a longer one is cut, and a hash of the whole keeps it apart."""
    if len(name) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:8]
    return f"{name[: LONGEST_NAME - 9]}-{digest}"


def shell_word(word: str) -> str:
    """A word in the quotes that a shell needs; what a terminal would obey stands as an escape."""
    if not any(map(is_control, word)):
        return system.shell_word(word)
    letters = word.replace("\\", "\\\\").replace("'", "\\'")
    escaped = "".join(_octal(c) if is_control(c) else c for c in letters)
    return f"$'{escaped}'"


def _octal(character: str) -> str:
    """The bytes of a character as bash, zsh and POSIX (2024) read them between $' and '."""
    return "".join(f"\\{byte:03o}" for byte in os.fsencode(character))
