"""The screen, which must never end a run: a closed pipe or a full disk only silences it."""

import io
import logging
import os
import sys
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text

from mnist_seq.config.text import printable


class QuietConsole(Console):
    """A console that falls silent when nobody can read it any more."""

    def on_broken_pipe(self) -> None:
        """Whoever read the output has left."""
        self._fall_silent()

    def print(self, *objects: Any, **options: Any) -> None:
        """As `Console.print`; output that cannot be written is dropped."""
        try:
            super().print(*objects, **options)
        except OSError:
            self._fall_silent()

    def _fall_silent(self) -> None:
        self.quiet = True
        silence()


def accept_all_characters() -> None:
    """Show what the locale's encoding lacks by its escape: a name must not end the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def silence() -> None:
    """Send standard output nowhere, so that its last flush cannot fail either."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def say(console: Console, text: str) -> None:
    """Print plain text: names may hold brackets and control characters, which are no markup."""
    console.print(cell(text), highlight=False, soft_wrap=True)


def cell(text: str, style: str = "") -> Text:
    """Plain text as a table takes it."""
    return Text(printable(text), style=style)


class ScreenHandler(logging.StreamHandler[TextIO]):
    """Logs to whatever standard output is now: a live bar puts itself in its place."""

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__(stream or sys.stdout)

    def emit(self, record: logging.LogRecord) -> None:
        """As `StreamHandler.emit`."""
        self.stream = sys.stdout
        super().emit(record)
