"""Reads the .wandb file of an offline run: LevelDB-log blocks of protobuf records.

The format and the protobuf module are wandb's own business; tests may look, the package does not.
"""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_BLOCK = 32768
_HEADER = 7  # bytes of the file's header, and of each record's: crc32, length, type
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


def read(path: Path) -> dict[str, Any]:
    """Config, history, summary, exit code, names and axes of one run, as far as the file goes."""
    from wandb.proto import wandb_internal_pb2 as pb

    run: dict[str, Any] = {
        "config": {}, "summary": {}, "history": [], "axes": {}, "exit": None
    }  # fmt: skip
    for raw in _records(path.read_bytes()):
        record = pb.Record()
        record.ParseFromString(raw)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            found = record.run
            run |= {"id": found.run_id, "project": found.project, "group": found.run_group,
                    "name": found.display_name, "job_type": found.job_type,
                    "tags": list(found.tags)}  # fmt: skip
            run["config"] |= _values(found.config.update)
        elif kind == "config":
            run["config"] |= _values(record.config.update)
        elif kind == "metric":
            metric = record.metric
            run["axes"][metric.name or metric.glob_name] = metric.step_metric
        elif kind == "history":
            run["history"].append(_values(record.history.item))
        elif kind == "summary":
            run["summary"] |= _values(record.summary.update)
        elif kind == "exit":
            run["exit"] = record.exit.exit_code
    return run


def _values(items: Any) -> dict[str, Any]:
    return {i.key or ".".join(i.nested_key): json.loads(i.value_json) for i in items}


def _records(data: bytes) -> Iterator[bytes]:
    assert data[:4] == b":W&B", data[:_HEADER]
    offset, parts = _HEADER, b""
    while offset + _HEADER <= len(data):
        left = _BLOCK - offset % _BLOCK
        if left < _HEADER:
            offset += left
            continue
        _, length, kind = struct.unpack("<IHB", data[offset : offset + _HEADER])
        part = data[offset + _HEADER : offset + _HEADER + length]
        if kind == 0 and length == 0:
            offset += left
            continue
        if len(part) < length:  # torn by a kill
            return
        offset += _HEADER + length
        parts = part if kind in (_FULL, _FIRST) else parts + part
        if kind in (_FULL, _LAST):
            yield parts
