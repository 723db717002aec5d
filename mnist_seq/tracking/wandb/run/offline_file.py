"""Checks whether an offline file of W&B's is complete.

A killed process leaves a torn file, and a full disk a short one, without an error from wandb. The
format is LevelDB's log of protobuf records, documented in wandb's code only; a test reads files of
the installed version.
"""

import contextlib
import importlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from mnist_seq.runs import files
from mnist_seq.runs.disk import limits

_BLOCK = 32768
_HEADER = 7  # bytes of the file's header, and of each record's: crc32, length, type
_FULL, _FIRST, _LAST = 1, 2, 4
_LARGEST = 2**26  # bytes of a record; those of a run have some hundred


def is_whole(path: Path, *, num_rows: int) -> bool:
    """Whether a file holds this number of history rows, and the end of the run."""
    try:
        protobuf: Any = importlib.import_module("wandb.proto.wandb_internal_pb2")
        found, has_end = 0, False
        with limits.opened(path) as file:
            for raw in _records(file):
                record = protobuf.Record()
                record.ParseFromString(raw)
                kind = record.WhichOneof("record_type")
                found += kind == "history"
                has_end = has_end or kind == "exit"
    except (OSError, ImportError, AttributeError, ValueError):
        return False
    except Exception as error:  # protobuf's own DecodeError
        if type(error).__name__ != "DecodeError":
            raise
        return False
    return has_end and found == num_rows


def files_of(home: Path, run_id: str) -> list[Path]:
    """The offline files of a run, oldest first; none that a link leads to."""
    found = (home / "wandb").glob(f"offline-run-*-{run_id}/run-{run_id}.wandb")
    return sorted(path for path in found if not (path.is_symlink() or path.parent.is_symlink()))


def mark_synced(home: Path, run_id: str) -> None:
    """Mark offline files as synced, so that `wandb sync` does not send their rows again."""
    for path in files_of(home, run_id):
        with contextlib.suppress(OSError):  # a read-only folder
            os.close(files.open_append(path.with_suffix(".wandb.synced")))


def _records(file: IO[bytes]) -> Iterator[bytes]:
    """The complete records up to the first torn one.

    Raises:
        ValueError: the file is none of W&B's, or a record is larger than any of ours.
    """
    if file.read(_HEADER)[:4] != b":W&B":
        raise ValueError("not a file of W&B's")
    offset, parts = _HEADER, b""
    while len(header := file.read(_HEADER)) == _HEADER:
        left = _BLOCK - offset % _BLOCK
        _, length, kind = struct.unpack("<IHB", header)
        if left < _HEADER or (kind == 0 and length == 0):  # the rest of a block is padding
            offset += left
            file.seek(offset)
            continue
        part = file.read(length)
        if len(part) < length:
            return
        offset += _HEADER + length
        parts = part if kind in (_FULL, _FIRST) else parts + part
        if len(parts) > _LARGEST:
            raise ValueError("a record is too large")
        if kind in (_FULL, _LAST):
            yield parts
