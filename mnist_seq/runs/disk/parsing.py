"""Parses JSON, YAML and arrays of files that anybody may have written.

JSON: no key twice, no NaN, no number that float64 cannot hold, no text that UTF-8 cannot write, no
more than `MAX_DEPTH` levels. YAML: the same depth, no aliases (some bytes could stand for
terabytes), no interpolation. Arrays: no more than they declare, and no more than the file's limit.
"""

import io
import json
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_seq.runs.disk import limits

if TYPE_CHECKING:
    import numpy as np

MAX_DEPTH = 16
MAX_INTEGER = 2**64


def from_json(content: bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is no JSON, or holds what no file of ours holds.
    """
    try:
        value = _DECODER.decode(content.decode())
    except RecursionError:
        raise ValueError(f"it is nested in more than {MAX_DEPTH} levels") from None
    _check(value, MAX_DEPTH)
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice[:50]!r} is there twice")
    return found


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant)


def _check(value: Any, depth: int) -> None:
    kind = type(value)
    if kind is str:
        if not value.isascii():
            _check_text(value)
    elif kind is float:
        if value - value != 0:
            raise ValueError("a number is larger than float64 can hold")
    elif kind is int:
        if not -MAX_INTEGER < value < MAX_INTEGER:
            raise ValueError(f"a whole number has more than {len(str(MAX_INTEGER))} digits")
    elif kind is dict:
        if not depth:
            raise ValueError(f"it is nested in more than {MAX_DEPTH} levels")
        for key, inner in value.items():
            if not key.isascii():
                _check_text(key)
            _check(inner, depth - 1)
    elif kind is list:
        if not depth:
            raise ValueError(f"it is nested in more than {MAX_DEPTH} levels")
        for inner in value:
            _check(inner, depth - 1)


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("a text holds half a character (a surrogate)") from None


def from_yaml(content: bytes) -> Any:
    """The value of a YAML text. Interpolations stay as they are written.

    Raises:
        ValueError: it is no YAML, or holds what no file of ours holds.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        depth = 0
        for event in yaml.parse(content, Loader=loader):
            if isinstance(event, yaml.AliasEvent):
                raise ValueError("it holds an alias (*name)")
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise ValueError(f"it is nested in more than {MAX_DEPTH} levels")
        return yaml.load(content, Loader=loader)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(" ".join(str(error).split())[:300]) from None


def from_npz(path: Path) -> "dict[str, np.ndarray]":
    """The arrays of an .npz. Nothing in it is unpickled.

    Raises:
        OSError: it is missing or cannot be read.
        ValueError: it is damaged, no .npz, or its arrays are larger than the limit of the file.
    """
    with limits.opened(path) as stream:
        try:
            archive = zipfile.ZipFile(stream)
        except Exception as error:  # zipfile raises many kinds
            raise _damaged(error) from error
        parts = archive.infolist()
        most = limits.limit_of(path)
        limits.check_size(path, sum(part.file_size for part in parts), most)  # before unpacking
        try:
            found = {part.filename.removesuffix(".npy"): _array(archive, part) for part in parts}
        except Exception as error:  # so does numpy
            raise _damaged(error) from error
    if len(found) != len(parts):
        raise ValueError("an array is there twice")
    return found


def _damaged(error: Exception) -> ValueError:
    return ValueError(f"{type(error).__name__}: {error}")


def _array(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> "np.ndarray":
    from numpy.lib import format as form

    stream = io.BytesIO(archive.read(part))
    version = form.read_magic(stream)
    readers = {(1, 0): form.read_array_header_1_0, (2, 0): form.read_array_header_2_0}
    shape, _, dtype = readers[version](stream)
    if dtype.hasobject:
        raise ValueError("an array of objects, which are pickles")
    # numpy takes the memory that the header asks for before it looks at what is there
    if (declared := stream.tell() + math.prod(shape) * dtype.itemsize) != part.file_size:
        raise ValueError(f"{part.filename} must have {declared} bytes: it has {part.file_size}")
    stream.seek(0)
    return form.read_array(stream, allow_pickle=False)


def select(values: Any, key: str) -> Any:
    """The value at a dotted key of nested mappings; None where there is none."""
    for name in key.split("."):
        if not isinstance(values, Mapping):
            return None
        values = values.get(name)
    return values
