"""Finds the stored curve of a run, and makes one of finished runs.

A stored curve is the value `curve` of a JSON file in `docs/results/`, or in `results/` of a user's
own folder (`--config-dir`). The file's `experiment` names it.
"""

import functools
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mnist_seq.config import members
from mnist_seq.runs import files
from mnist_seq.runs.console import near
from mnist_seq.runs.folder import RunFolder
from mnist_seq.waypoints.curve import FEWEST, Curve, curve_of
from mnist_seq.waypoints.matching import takes_same_steps

log = logging.getLogger("mnist_seq.waypoints")

Finite = Annotated[float, Field(allow_inf_nan=False)]
Spread = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Curve(BaseModel):
    """What a stored curve must hold, whoever wrote it."""

    model_config = ConfigDict(strict=True, extra="ignore")

    metric: Annotated[str, Field(pattern=r"^\w+/\w+$")]
    updates: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)]
    mean: list[Finite]
    sd: list[Spread]
    lr: list[Spread] = []
    n: Annotated[int, Field(ge=2)]
    seeds: list[int]
    config: dict[str, Any]
    fingerprint: str = ""


def folders() -> list[Path]:
    """Where stored results lie: ours, and those of the folders of own members in use."""
    conf = members.shipped()
    inside = conf.parent / "results"  # in a wheel, beside its conf/
    ours = inside if inside.is_dir() else conf.parent / "docs" / "results"
    return [ours, *(folder / "results" for folder in members.folders())]


def curve_for(config: Mapping[str, Any], fingerprint: str) -> Curve | None:
    """The stored curve of runs that take the same steps as one of this config, or None.

    Args:
        config: as run.json has it.
        fingerprint: of its data.
    """
    for folder in folders():
        for path in sorted(folder.glob("*.json")):
            curve = _curve_in(path, path.stat().st_mtime_ns)
            if curve is None:
                continue
            is_same_data = "" in (fingerprint, curve.fingerprint) or (
                fingerprint == curve.fingerprint
            )
            if is_same_data and takes_same_steps(curve.config, config, metric=curve.metric):
                return curve
    return None


def stored_curve(runs: Sequence[RunFolder]) -> dict[str, Any]:
    """The value `curve` of a results file, from the finished runs of one variant, one a seed.

    Returns:
        {} where there are fewer than 3, or they share no evaluation.

    Raises:
        OSError, ValueError: a folder cannot be read.
    """
    if len(runs) < FEWEST:
        return {}
    records = [run.record() for run in runs]
    rows = [run.metrics() for run in runs]
    main = runs[0].judged()["main"]
    for metric in (f"valid/{main}", f"monitor/{main}", "train/loss"):
        if found := curve_of(rows, metric):
            return found | {
                "seeds": [record["config"]["seed"] for record in records],
                "config": _of_variant(records[0]["config"]),
                "fingerprint": records[0]["data"].get("fingerprint", ""),
            }
    return {}


def _of_variant(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config without its seed, and without what nothing depends on: paths, trackers, sweeps."""
    left = {group: values for group, values in config.items() if group not in _NOT_STORED}
    data = {key: value for key, value in config["data"].items() if key not in ("root", "path")}
    return {**left, "data": data}


_NOT_STORED = ("seed", "arm", "tracker", "sweep")


@functools.lru_cache(maxsize=256)
def _curve_in(path: Path, changed: int) -> Curve | None:
    """The curve of a file, read once until it changes; None without one of enough seeds."""
    try:
        value = files.read_json(path)
        if not value.get("curve"):
            return None
        curve = _read(value["curve"], str(value.get("experiment", path.stem)))
    except (OSError, ValueError) as error:
        log.warning(f"{near(path)} is left out of the stored curves: {_first(error)}")
        return None
    return curve if curve.n >= FEWEST else None


def _read(value: object, name: str) -> Curve:
    """Check a stored curve.

    Raises:
        ValueError: it is not one.
    """
    checked = _Curve.model_validate(value)
    sizes = {len(checked.updates), len(checked.mean), len(checked.sd)}
    if len(sizes) > 1 or len(checked.lr) not in (0, *sizes):
        raise ValueError("updates, mean, sd and lr must be of one length")
    if checked.updates != sorted(set(checked.updates)):
        raise ValueError("updates must rise")
    return Curve(
        name=name,
        metric=checked.metric,
        updates=tuple(checked.updates),
        mean=tuple(checked.mean),
        sd=tuple(checked.sd),
        lr=tuple(checked.lr),
        n=checked.n,
        seeds=tuple(checked.seeds),
        config=checked.config,
        fingerprint=checked.fingerprint,
    )


def _first(error: Exception) -> str:
    """An error in one line; of pydantic's, its first one."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"curve.{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return " ".join(str(error).split())
