"""Writes what a pulled sweep has beside its runs: why runs ended, its plan, its sampler."""

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mnist_seq.runs import files
from mnist_seq.runs.sweep_folder import SweepFolder

_MOST_ASKED = 3  # runs that are asked for the plan of their sweep


def write_sweep(runs: Sequence[Any], paths: Sequence[Path], root: Path) -> None:
    """Write the sweep's own files: why runs were interrupted, the plan, the sampler of a search."""
    lines = [
        json.dumps({"run": path.name, "change": "interrupted", "reason": summary.get("reason", "")})
        for run, path in zip(runs, paths, strict=True)
        if (summary := dict(run.summary))["state"] == "interrupted"
    ]
    if lines:
        files.write_text(root / "ledger.jsonl", "".join(f"{line}\n" for line in lines))
    found = [dict(run.config)["run"].get("sampler", "") for run in runs]
    if samplers := [name for name in found if name]:
        text = f"hydra:\n  sweeper:\n    sampler: {json.dumps(samplers[-1])}\n"
        files.write_text(root / "multirun.yaml", text)

    _write_plan(runs, paths, root)


def _write_plan(runs: Sequence[Any], paths: Sequence[Path], root: Path) -> None:
    """Write plan.json as the last run of the sweep has it, with the names of the pulled folders.

    A sweep of an older version has none; one that is damaged there is left out.
    """
    folder = SweepFolder(root)
    folder.plan_path.unlink(missing_ok=True)
    for run in list(reversed(runs))[:_MOST_ASKED]:
        if not download(run, folder.plan_path):
            continue
        with contextlib.suppress(ValueError, OSError):
            own = [Path(dict(run.config)["run"].get("folder", "")).name for run in runs]
            names = dict(zip(own, (path.name for path in paths), strict=True))
            plans = [_renamed(plan, names) for plan in folder.plans()]
            files.write_json(folder.plan_path, {"plans": plans})
            return
        folder.plan_path.unlink(missing_ok=True)


def _renamed(plan: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    try:
        arms = [
            {**arm, "runs": [names.get(name, name) for name in arm["runs"]]} for arm in plan["arms"]
        ]
    except (KeyError, TypeError) as error:
        raise ValueError(f"a plan has arms with runs: {error!r}") from None
    return {**plan, "arms": arms}


def download(run: Any, path: Path) -> bool | None:
    """Download a file of a run into its place; None where W&B has none, False without content."""
    for file in run.files([path.name]):
        try:
            file.download(root=str(path.parent), replace=True).close()
        except Exception as error:
            if "404" not in str(error):
                raise
            path.unlink(missing_ok=True)
            return False
        return True
    return None
