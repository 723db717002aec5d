"""Runs as a pandas table, for notebooks."""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mnist_seq.report.read.collect import collect, read_run
from mnist_seq.report.read.run import Run
from mnist_seq.runs.folder import RunFolder
from mnist_seq.runs.variants import distinct, naming_keys, title

_OF_HISTORY = ("variant", "seed", "folder")
# Numbers that are counted, and stand in files and in the report as floats
_COUNTS = {"num_params", "state_size", "multiply_adds", "updates", "needed_seeds"}


def frame_of(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """A table whose whole numbers are whole: one with gaps is Int64, where pandas makes floats."""
    found = pd.DataFrame(list(rows))
    for name in map(str, found):
        values = [row.get(name) for row in rows]
        known = [v for v in values if v is not None and not _is_nan(v)]
        if known and all(_is_whole(v, is_count=name in _COUNTS) for v in known):
            found[name] = found[name].astype("Int64" if len(known) < len(values) else "int64")
    return found


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _is_whole(value: object, *, is_count: bool) -> bool:
    if isinstance(value, float):
        return is_count and value.is_integer()
    return isinstance(value, int) and not isinstance(value, bool)


class SweepFrame(pd.DataFrame):
    """A table with one row for each run; `history` gives the evaluations of its rows."""

    @property
    def _constructor(self) -> Callable[..., "SweepFrame"]:
        return SweepFrame

    def history(self) -> pd.DataFrame:
        """All evaluations of these runs, one row each, with variant, seed and folder."""
        rows = []
        for variant, folder in zip(self["variant"], self["folder"], strict=True):
            run = read_run(RunFolder(Path(folder)))
            if isinstance(run, Run):
                about = dict(zip(_OF_HISTORY, (variant, run.seed, folder), strict=True))
                rows += [{**about, **row} for row in run.history]
        return frame_of(rows) if rows else pd.DataFrame([], columns=[*_OF_HISTORY, "step"])


def load_sweep(*paths: str | Path) -> SweepFrame:
    """Read runs into a table.

    Columns: `variant`, `seed`, `state`; the swept keys by their dotted names (`model` for
    `model.name`); the metrics of result.json in its unit (accuracies as fractions);
    `num_params`, `state_size`, `multiply_adds`, `seconds`; every key of the config as
    `config.<key>`; `reason` and `folder`.

    Args:
        paths: folders of sweeps or runs.

    Raises:
        CannotCompare: a folder is missing, or no run was found.

    Warns:
        UserWarning: folders that could not be read; each is named.
    """
    collected = collect([Path(path) for path in paths])
    if collected.skipped:
        names = "; ".join(f"{s.folder} ({s.reason})" for s in collected.skipped)
        warnings.warn(f"{len(collected.skipped)} folders were skipped: {names}", stacklevel=2)
    keys = naming_keys(distinct(run.variant for run in collected.runs))
    return SweepFrame(frame_of([_row(run, keys) for run in collected.runs]))


def _row(run: Run, keys: list[str]) -> dict[str, Any]:
    config = run.record["config"]
    row: dict[str, Any] = {
        "variant": title(run.variant, keys),
        "seed": run.seed,
        "state": run.state,
    }
    row |= {key.removesuffix(".name"): run.variant.get(key) for key in keys}
    row |= dict(run.metrics)
    row |= {key: getattr(run, key) for key in ("num_params", "state_size", "multiply_adds")}
    row["seconds"] = run.seconds
    row |= {f"config.{key}": v for key, v in run.values.items() if _is_in(key, config)}
    return row | {"reason": run.reason, "folder": str(run.folder)}


def _is_in(key: str, config: Any) -> bool:
    for part in key.split("."):
        if part not in config:
            return False
        config = config[part]
    return True
