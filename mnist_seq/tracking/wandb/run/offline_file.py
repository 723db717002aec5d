"""Checks whether an offline file of W&B's is complete.

A killed process leaves a torn file, and a full disk a short one, without an error from wandb. The
format is LevelDB's log of protobuf records, documented in wandb's code only; a test reads files of
the installed version.
"""

import contextlib
import importlib
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_BLOCK = 32768
_HEADER = 7  # bytes of the file's header, and of each record's: crc32, length, type
_FULL, _FIRST, _LAST = 1, 2, 4


def is_whole(path: Path, *, num_rows: int) -> bool:
    """Whether a file holds this number of history rows, and the end of the run."""
    try:
        protobuf: Any = importlib.import_module("wandb.proto.wandb_internal_pb2")
        found, has_end = 0, False
        for raw in _records(path.read_bytes()):
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
    """The offline files of a run, oldest first."""
    return sorted((home / "wandb").glob(f"offline-run-*-{run_id}/run-{run_id}.wandb"))


def mark_synced(home: Path, run_id: str) -> None:
    """Mark offline files as synced, so that `wandb sync` does not send their rows again."""
    for path in files_of(home, run_id):
        with contextlib.suppress(OSError):  # a read-only folder
            path.with_suffix(".wandb.synced").touch()


def _records(data: bytes) -> Iterator[bytes]:
    """The complete records up to the first torn one."""
    if data[:4] != b":W&B":
        raise ValueError("not a file of W&B's")
    offset, parts = _HEADER, b""
    while offset + _HEADER <= len(data):
        left = _BLOCK - offset % _BLOCK
        _, length, kind = struct.unpack("<IHB", data[offset : offset + _HEADER])
        if left < _HEADER or (kind == 0 and length == 0):  # the rest of a block is padding
            offset += left
            continue
        part = data[offset + _HEADER : offset + _HEADER + length]
        if len(part) < length:
            return
        offset += _HEADER + length
        parts = part if kind in (_FULL, _FIRST) else parts + part
        if kind in (_FULL, _LAST):
            yield parts
