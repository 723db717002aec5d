"""Writes a composed config with the comments of the YAML files that its keys come from."""

import re
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

_FAR = 36  # column from which on a comment stands no further right for the sake of one long line
_LEAST = 24  # characters of a comment in one line; a narrower terminal has it below its key
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def help_text(*, _root_: Any) -> str:
    """A resolver for `hydra.help.template`: all keys, their values, and what they mean.

    Args:
        _root_: the composed config with Hydra's own node.
    """
    from omegaconf import OmegaConf

    values = OmegaConf.masked_copy(_root_, [key for key in _root_ if key != "hydra"])
    text = OmegaConf.to_yaml(values, resolve="--resolve" in sys.argv)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    found = commented(text, comments_of_config(_root_.hydra), width=width)
    return found.replace("$", "$$")  # Hydra's help is a string.Template


def options_text() -> str:
    """A resolver for `hydra.help.template`: all groups with their options."""
    from mnist_seq.config.paths import groups, options

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000
    lines = []
    for group in groups():
        head = f"{group + '=':<12}"
        wrapped = textwrap.wrap(" | ".join(options(group)), max(_LEAST, width - len(head)))
        lines += [
            f"{head if not i else ' ' * len(head)}{line.rstrip()}" for i, line in enumerate(wrapped)
        ]
    return "\n".join(lines)


def commented(text: str, comments: dict[str, str], *, width: int) -> str:
    """The YAML of a config, with a comment behind each key that has one.

    Args:
        text: as OmegaConf writes it, one key a line.
        comments: by the key's path, such as `model.hidden`.
        width: of the terminal, over which comments are wrapped; 0: they are not.
    """
    text = _with_short_lists(text)
    lines = text.splitlines()
    of_line = {line: path for path, line, _ in _keys(text)}
    lengths = [len(lines[i]) for i, path in of_line.items() if path in comments]
    column = max([0, *(length for length in lengths if length < _FAR)]) + 2
    found = []
    for i, line in enumerate(lines):
        note = comments.get(of_line.get(i, ""), "")
        found += _with_note(line, note, column=column, width=width) if note else [line]
    return "\n".join(found)


def _with_short_lists(text: str) -> str:
    """Lists of plain values in one line, as people write them."""
    return re.sub(
        r"^( *)([\w.]+):\n((?:\1- [\w.+/]+\n)+)",
        lambda m: f"{m[1]}{m[2]}: [{', '.join(re.findall(r'- (.+)', m[3]))}]\n",
        text,
        flags=re.MULTILINE,
    )


def _with_note(line: str, note: str, *, column: int, width: int) -> list[str]:
    if not width:
        return [f"{line:<{column}}# {note}" if len(line) < column else f"{line}  # {note}"]
    start = column if width - column - 2 >= _LEAST else len(line) - len(line.lstrip()) + 2
    wrapped = textwrap.wrap(note, max(_LEAST, width - start - 2), break_on_hyphens=False)
    notes = [f"{'':<{start}}# {part}" for part in wrapped]
    if len(line) + 2 > start:
        return [line, *notes]
    return [f"{line:<{start}}{notes[0].lstrip()}", *notes[1:]]


def comments_of_config(hydra: Any) -> dict[str, str]:
    """The comments of the files from which a config was composed, by the key's path.

    Args:
        hydra: Hydra's own node of that config.
    """
    folders = [
        Path(str(source.path))
        for source in hydra.runtime.config_sources
        if source.schema == "file" and source.provider != "hydra"
    ]
    places = {"": str(hydra.job.config_name or "")} | {
        str(group): f"{group}/{option}"
        for group, option in hydra.runtime.choices.items()
        if option is not None and not str(group).startswith("hydra")
    }
    found = {
        f"{group}.name": f"{group}={option.rpartition('/')[2]} says so"
        for group, option in places.items()
        if group
    }
    for package, name in places.items():
        for own, file in _files(name, package, folders):
            found |= comments_of_file(file.read_text(encoding="utf-8"), own)
    return found


def _files(name: str, package: str, folders: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """The file of an option, behind those that it is based on, each with its package."""
    name = name.strip("/").removesuffix(".yaml")
    paths = (folder / f"{name}.yaml" for folder in folders)
    file = next((path for path in paths if path.is_file()), None)
    if file is None:
        return
    text = file.read_text(encoding="utf-8")
    own = "" if re.search(r"^# @package _global_\s*$", text, re.MULTILINE) else package
    based_on = yaml.load(text, Loader=_LOADER) or {}
    for item in based_on.get("defaults", []) if isinstance(based_on, dict) else []:
        base, _, place = str(item).partition("@")
        is_part = isinstance(item, str) and item != "_self_" and "override " not in item
        if is_part and (place == "_here_" or not package):
            yield from _files(base, own, folders)
    yield own, file


def comments_of_file(text: str, package: str) -> dict[str, str]:
    """The comments behind the keys of a YAML, by the key's path."""
    lines = text.splitlines()
    found = {}
    for path, line, column in _keys(text):
        if note := re.match(r"[^#]*?\s#\s*(.*)$", lines[line][column:]):
            found[f"{package}.{path}" if package else path] = note[1].strip()
    return found


def _keys(text: str) -> Iterator[tuple[str, int, int]]:
    """Each key's path, its line, and where in that line its value ends."""
    yield from _keys_of(yaml.compose(text, Loader=_LOADER), "")


def _keys_of(node: Any, parent: str) -> Iterator[tuple[str, int, int]]:
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        path = f"{parent}{key.value}"
        is_beside = value.end_mark.line == key.end_mark.line
        yield path, key.end_mark.line, (value if is_beside else key).end_mark.column
        yield from _keys_of(value, f"{path}.")
