"""Prints to the screen. A closed pipe or a full disk silences it, and never ends a run."""

import io
import logging
import os
import sys
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text

from mnist_seq.config.text import printable


class QuietConsole(Console):
    """A console that stops printing when its output cannot be written."""

    def on_broken_pipe(self) -> None:
        """The reader of the output has closed it."""
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
    """Print characters that the locale's encoding lacks as escapes, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def silence() -> None:
    """Send standard output to /dev/null, so that the flush at exit cannot fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def say(console: Console, text: str) -> None:
    """Print plain text. Brackets in names are not markup, control characters are escaped."""
    console.print(cell(text), highlight=False, soft_wrap=True)


def cell(text: str, style: str = "") -> Text:
    """Plain text for a table."""
    return Text(printable(text), style=style)


class ScreenHandler(logging.StreamHandler[TextIO]):
    """Logs to the current `sys.stdout`, which a progress bar replaces while it is shown."""

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__(stream or sys.stdout)

    def format(self, record: logging.LogRecord) -> str:
        """As `StreamHandler.format`; control characters are escaped."""
        return printable(super().format(record))

    def emit(self, record: logging.LogRecord) -> None:
        """As `StreamHandler.emit`."""
        self.stream = sys.stdout
        super().emit(record)
