"""The error of an impossible config. It is apart from `parse`, which imports pydantic."""

import sys
from typing import NoReturn

from mnist_seq.config.text import printable


class ConfigError(ValueError):
    """A config is impossible. The text has the rule, the value and the way out, in one line."""

    def __init__(self, text: str) -> None:
        super().__init__(printable(text).replace("\n", "\\n"))


def refuse(text: str) -> NoReturn:
    """End a command with one line of error; control characters in it are escaped."""
    line = "; ".join(line.strip() for line in text.splitlines() if line.strip())
    print(f"mnist_seq: {printable(line)}", file=sys.stderr, flush=True)
    raise SystemExit(1)
