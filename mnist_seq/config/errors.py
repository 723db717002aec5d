"""The error that a config can cause, apart from `parse` so that its readers need no pydantic."""

import sys
from typing import NoReturn

from mnist_seq.config.text import printable


class ConfigError(ValueError):
    """A config that cannot be run: the rule, the value and the way out, in one line."""

    def __init__(self, text: str) -> None:
        super().__init__(printable(text).replace("\n", "\\n"))


def refuse(text: str) -> NoReturn:
    """End a command with one line of error, which shows control characters instead of obeying."""
    line = "; ".join(line.strip() for line in text.splitlines() if line.strip())
    print(f"mnist_seq: {printable(line)}", file=sys.stderr, flush=True)
    raise SystemExit(1)
