"""Ways in which a file is no longer what was written, each made by real means."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

Damage = Callable[[Path], None]


def _cut(percent: int) -> Damage:
    def cut(path: Path) -> None:
        content = path.read_bytes()
        path.write_bytes(content[: len(content) * percent // 100])

    return cut


def _flip(percent: int) -> Damage:
    def flip(path: Path) -> None:
        content = bytearray(path.read_bytes())
        if content:
            content[min(len(content) * percent // 100, len(content) - 1)] ^= 1 << percent % 7
        path.write_bytes(bytes(content))

    return flip


def _holding(text: str) -> Damage:
    return lambda path: bool(path.write_text(text)) and None


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "something").write_text("somebody's")


def _link_to(target: str) -> Damage:
    def link(path: Path) -> None:
        path.unlink()
        path.symlink_to(target)

    return link


def _moved(path: Path) -> None:
    """A link to where the whole file is now: no damage at all."""
    elsewhere = path.parent.parent.parent / "elsewhere" / path.name
    elsewhere.parent.mkdir(exist_ok=True)
    shutil.move(path, elsewhere)
    path.symlink_to(elsewhere)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


FEW: dict[str, Damage] = {
    "missing": Path.unlink,
    "empty": _cut(0),
    **{f"cut at {p} %": _cut(p) for p in (30, 90)},
    **{f"flipped at {p} %": _flip(p) for p in (12, 47, 81)},
    "a list": _holding("[1, 2]\n"),
    "text": _holding("nothing of the kind\nat all\n"),
    "a folder": _folder,
    "a link to nothing": _link_to("/proc/nonexistent/file"),
    "a link to itself": _link_to("."),
    "a link elsewhere": _moved,
    # Reading it is an error of the device, which holds for root too
    "unreadable": _link_to("/proc/self/mem"),
}
ALL: dict[str, Damage] = {
    **FEW,
    **{f"cut at {p} %": _cut(p) for p in range(10, 100, 10)},
    **{f"flipped at {p} %": _flip(p) for p in range(0, 101, 2)},
    "an object": _holding("{}\n"),
    "null": _holding("null\n"),
    "deep": _holding("[" * 100_000),
    "a long number": _holding('{"state": ' + "9" * 5000 + "}"),
    "zeros": lambda path: bool(path.write_bytes(bytes(path.stat().st_size))) and None,
}
ENDLESS: dict[str, Damage] = {"a pipe": _pipe, "a device": _link_to("/dev/zero")}
