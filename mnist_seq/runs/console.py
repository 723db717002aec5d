"""Prints to the screen. A closed pipe or a full disk silences it, and never ends a run."""

import io
import logging
import os
import re
import sys
from typing import Any, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from mnist_seq.config.text import printable

_UNITS = ("%", "s", "ms", "min", "h", "GiB", "MiB", "points", "seed", "seeds")


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


def plain_in_notebooks() -> QuietConsole:
    """A console that prints lines in a notebook, as one text and not as an HTML block a line."""
    console = QuietConsole()
    if not console.is_jupyter:
        return console
    return QuietConsole(force_jupyter=False, force_terminal=False, width=console.width)


def open_closed_streams() -> None:
    """Open standard streams that the caller has closed (`>&-`) on /dev/null.

    Their numbers would else go to files that a command opens, and what it prints into these.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            number = os.open(os.devnull, os.O_RDWR)  # the lowest free one: that of the stream
            os.set_inheritable(number, True)
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115


def accept_all_characters() -> None:
    """Print characters that the locale's encoding lacks as escapes, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_to(fd: int) -> None:
    """Send all output of this process, also that of C code, to an open file, in UTF-8.

    The streams are new ones: on Windows those of a console go on writing to it.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(fd, number)
        stream = open(  # noqa: SIM115
            number, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
        )
        setattr(sys, name, stream)


def silence() -> None:
    """Send standard output to /dev/null, so that the flush at exit cannot fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def say(console: Console, text: str, style: str = "") -> None:
    """Print plain text. Brackets in names are not markup, control characters are escaped.

    On a terminal its lines break between words alone; elsewhere, as in a log, they do not.
    """
    shown = printable(text)
    if console.is_terminal:
        lines = shown.split("\n")
        shown = "\n".join(part for line in lines for part in wrapped(line, console.width))
    console.print(Text(shown, style), highlight=False, soft_wrap=True)


def say_command(console: Console, label: str, command: str) -> None:
    """Print a command behind its label. No line is broken, so that it is copied as one."""
    console.print(cell(f"{label} {command}".lstrip()), highlight=False, soft_wrap=True)


def wrapped(text: str, width: int, *, indent: str = "") -> list[str]:
    """The lines of a text that breaks between words: never within one, nor before a unit.

    Args:
        indent: before each line but the first, besides the text's own.
    """
    start = text[: len(text) - len(text.lstrip())]
    lines: list[str] = []
    line = ""
    pieces = [part for whole in _words(text) for part in _pieces(whole, width - len(indent))]
    for word in pieces:
        if line and cell_len(line) + 1 + cell_len(word) > width:
            lines.append(line)
            line = f"{start}{indent}{word.lstrip()}"
        else:
            line = f"{line} {word}" if line else f"{start}{word}"
    return [*lines, line]


def _pieces(word: str, width: int) -> list[str]:
    """A word; one that is longer than a line, such as the name of a run, in parts that end at its
    commas and slashes."""
    if cell_len(word) <= width:
        return [word]
    found = [""]
    for part in re.findall(r"[^,/]+[,/]?|[,/]", word):
        if found[-1] and cell_len(found[-1]) + cell_len(part) > width:
            found.append(part)
        else:
            found[-1] += part
    return found


def _words(text: str) -> list[str]:
    """The words of a text; a unit belongs to its number."""
    found: list[str] = []
    for word in text.split(" "):
        is_unit = found and word.rstrip(".,;:)") in _UNITS and found[-1][-1:].isdecimal()
        if is_unit or (found and not found[-1].strip()):
            found[-1] = f"{found[-1]} {word}"
        elif word or found:
            found.append(word)
    return found or [""]


def near(path: str | os.PathLike[str]) -> str:
    """A path as people type it: relative to the working directory, if it is inside."""
    text = os.fspath(path)
    try:
        inside = os.path.relpath(text)
    except (ValueError, OSError):  # the working directory is gone
        return text
    return text if inside.startswith("..") or os.path.isabs(inside) else inside


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
