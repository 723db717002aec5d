"""Reads from a run folder what W&B shows of the run.

The mirror and `sync` both use it, so that a run looks the same in W&B whether it was uploaded while
it trained or a week later.
"""

import contextlib
import functools
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mnist_seq.runs.events import Ended, Samples, State
from mnist_seq.runs.folder import RunFolder
from mnist_seq.runs.text import fitting
from mnist_seq.tracking.wandb.settings import Settings

INTERRUPTED = 130  # exit code of an interrupted run whose signal is not known: that of SIGINT
# Shows that a folder is a sweep's, also after a rename; `runs.sweep_folder` takes 0.3 s to import
_LEDGER = "ledger.jsonl"
PLAN = "plan.json"  # of the sweep, which `runs.sweep_folder` writes
# Entries of run.json that a report needs, beside the config
FACTS = (
    "config_hash", "task", "data", "device", "code", "versions", "host", "created", "started",
    "overrides",
)  # fmt: skip


@dataclass(frozen=True)
class Identity:
    """Name, config and place of a run in W&B."""

    id: str
    name: str
    group: str
    job_type: str
    tags: list[str]
    config: dict[str, Any]
    home: Path  # the sweep's folder, or the run's where it belongs to no sweep
    files: Path  # wandb creates its folder `wandb` in it
    notes: str = ""


def identify(
    folder: RunFolder,
    *,
    tags: tuple[str, ...] = (),
    counts: Mapping[str, Any] | None = None,
    held: Mapping[str, str] | None = None,
) -> Identity:
    """Name, group and config of a run that has begun.

    Args:
        tags: in addition to those of its cell, data, arm and config.
        counts: num_params and num_steps, as long as there is no result to read them from.
        held: the WANDB_ variables that hold for the run.

    Raises:
        ValueError: run.json is damaged, or not of this project.
    """
    record, path = folder.record(), folder.path.resolve()
    try:
        config = dict(record["config"])
        sweep, cell, data = config["sweep"]["name"], config["model"]["name"], config["data"]["name"]
        own_id = run_id(record, path)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{folder.record_path} must hold a run's config: {error} is missing"
        ) from None
    home = path.parent
    group = sweep if _is_sweep(home, sweep) else ""
    known, held = record.get("wandb", {}), held or {}
    facts = {key: record[key] for key in FACTS if key in record}
    if group and (sampler := _sampler(home)):
        facts["sampler"] = sampler
    config["run"] = {"folder": str(path), **facts, **(counts or _counts(folder))}
    arm = [f"arm:{config['arm']}"[:64]] if config.get("arm", "none") != "none" else []
    own = Settings.read(config["tracker"], held).tags
    place = home if group else path
    return Identity(
        id=known.get("id") or ("" if group else _agents_id()) or own_id,
        name=fitting(held.get("WANDB_NAME") or str(record.get("name", cell))),
        group=fitting(held.get("WANDB_RUN_GROUP") or group),
        job_type=held.get("WANDB_JOB_TYPE") or "train",
        tags=list(dict.fromkeys([cell, data, *arm, *own, *known.get("tags", ()), *tags])),
        config=config,
        home=place,
        files=Path(held.get("WANDB_DIR") or place),
        notes=held.get("WANDB_NOTES", ""),
    )


def is_in_sweep(folder: RunFolder) -> bool:
    """Whether a run belongs to a sweep."""
    try:
        return _is_sweep(folder.path.resolve().parent, folder.record()["config"]["sweep"]["name"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _is_sweep(folder: Path, name: object) -> bool:
    return folder.name == name or (folder / _LEDGER).exists()


def run_id(record: Mapping[str, Any], path: Path) -> str:
    """The W&B id of a run: the same whenever this config runs in this folder.

    It changes with the code and the data. W&B keeps the rows of an id, so a rerun under the old id
    would add its rows to those of the run that it replaced.
    """
    facts = (record.get("code", {}).get("hash"), record.get("data", {}).get("fingerprint"))
    text = " ".join(map(str, (record["config_hash"], path, *facts)))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@functools.cache
def _sampler(sweep: Path) -> str:
    """The sampler of a search, or "" for a sweep that is none."""
    with contextlib.suppress(OSError, ValueError):
        if "sampler:" in (sweep / "multirun.yaml").read_text(encoding="utf-8"):
            from mnist_seq.runs.sweep_folder import SweepFolder

            return SweepFolder(sweep).sampler()
    return ""


def _agents_id() -> str:
    """The id that a W&B agent gave to the one run that it started, or ""."""
    return os.environ.get("WANDB_RUN_ID", "") if os.environ.get("WANDB_SWEEP_ID") else ""


def _counts(folder: RunFolder) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError, KeyError):
        result = folder.result()
        counted = {k: result[k] for k in ("state_size", "multiply_adds") if result.get(k)}
        return {"num_params": result["num_params"], "num_steps": result["steps"], **counted}
    return {}


def rows(folder: RunFolder) -> list[dict[str, Any]]:
    """The evaluations so far, one row of W&B's history each, without values that are not finite."""
    return [
        {key: value for key, value in row.items() if value is not None}
        for row in folder.metrics()
        if "step" in row
    ]


def ending(folder: RunFolder, event: Ended | None = None) -> Ended:
    """How a run ended: by its result if it has one, else by the event, else by its other files."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        result = folder.result()
        state: State = "diverged" if result["state"] == "diverged" else "finished"
        reason, seconds = result.get("reason", ""), result["seconds"]
        return Ended(state, 0, reason, result["metrics"], result.get("best", {}), seconds)
    if event is not None and event.state in ("failed", "interrupted"):
        return event
    with contextlib.suppress(OSError):
        lines = folder.error().strip().splitlines()
        return Ended("failed", 1, lines[-1][:300] if lines else "")
    return Ended("interrupted", INTERRUPTED, "its process ended without a word")


def summary(folder: RunFolder, end: Ended) -> dict[str, Any]:
    """Last and best values, parameters, time, device and end state of a run.

    An empty reason is sent too: W&B would keep the one of an earlier end.
    """
    best = {f"best/{key.removeprefix('best/')}": value for key, value in end.best.items()}
    values = {**end.metrics, **best, **_counts(folder), "state": end.state, "reason": end.reason}
    values["seconds"] = end.seconds or next((row.get("seconds") for row in rows(folder)[::-1]), 0.0)
    with contextlib.suppress(OSError, ValueError, KeyError):
        values["device"] = folder.record()["device"]
    return {k: v for k, v in values.items() if k == "reason" or v not in (None, "")}


def samples(folder: RunFolder) -> Samples | None:
    """The first test images with their predictions; None before the run has read the test set."""
    try:
        arrays = folder.test_arrays()
    except (OSError, ValueError):
        return None
    if "image" not in arrays:
        return None
    n = len(arrays["image"])
    return Samples(arrays["image"], arrays["label"][:n], arrays["prediction"][:n])


def classes_on_test(folder: RunFolder) -> tuple[np.ndarray, np.ndarray, int] | None:
    """Labels and predictions on test, and the number of classes; None where there are none."""
    try:
        return folder.classes_on_test()
    except (OSError, ValueError):
        return None
