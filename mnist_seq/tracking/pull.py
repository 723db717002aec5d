"""Runs that lie on other machines, taken from W&B as run folders of our own format."""

import datetime
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mnist_seq.config.errors import ConfigError
from mnist_seq.runs import files
from mnist_seq.runs.folder import RunFolder
from mnist_seq.tracking import held, library
from mnist_seq.tracking.held import path_of

_ENDED = ("finished", "diverged", "failed", "interrupted")
_RUN_KEYS = ("config_hash", "data", "device", "code", "versions", "host", "created", "overrides")


def pull(
    project: str, group: str, cache: Path, *, entity: str = "default", timeout: float = 30.0
) -> list[Path]:
    """Bring the ended runs of a sweep from W&B into a folder, one run folder each.

    What is there already and has not changed in W&B is not read again. The weights stay there.

    Args:
        group: the sweep's name.
        cache: where the folders go: `<cache>/<project>/<group>/<run>`.
        timeout: seconds that the server gets for an answer.

    Returns:
        The run folders, in the order of their names.

    Raises:
        ConfigError: no credentials, no such runs, or the server did not answer.
    """
    os.environ.update(library.environment(cache))
    os.environ.pop("WANDB_SERVICE", None)
    try:
        if not library.has_credentials(verify=False):
            raise ConfigError(
                "W&B wants an account: no credentials; run `wandb login`, or set WANDB_API_KEY"
            )
        found = held.runs(path_of(project, entity), {"group": group}, timeout=timeout)
        ours = _latest([run for run in found if _is_ours(run)])
        root = cache / _plain(project) / _plain(group)
        paths = [_written(run, root) for run in ours]
    except (ConfigError, OSError):
        raise
    except Exception as error:  # the server fails in many ways
        raise ConfigError(
            f"W&B must answer: project={project} group={group}: {library.reason(error)}; try "
            "again, or compare local folders with sweep=..."
        ) from None
    if not paths:
        raise ConfigError(
            f"W&B holds no ended runs of this project: project={project} group={group} "
            f"({len(found)} others); `python -m mnist_seq.sync` brings a sweep there"
        )
    return sorted(paths)


def _is_ours(run: Any) -> bool:
    config = dict(run.config)
    return (
        run.state != "running"
        and dict(run.summary).get("state") in _ENDED
        and {"model", "data", "seed", "run"} <= config.keys()
        and "config_hash" in config["run"]
    )


def _latest(runs: Sequence[Any]) -> list[Any]:
    """Of the runs that one folder has held, the one that it holds: a rerun replaces a run."""
    facts = {run.id: dict(run.config)["run"] for run in runs}
    place = {i: f"{found.get('host')} {found['folder']}" for i, found in facts.items()}
    in_time = sorted(runs, key=lambda run: str(facts[run.id].get("created", "")))
    return list({place[run.id]: run for run in in_time}.values())


def _written(run: Any, root: Path) -> Path:
    """Write a run's folder, unless it is there as W&B has it."""
    folder = RunFolder(root / _plain(run.name))
    config, summary = dict(run.config), dict(run.summary)
    facts = config.pop("run")
    version = hashlib.sha256(
        repr((run.id, run.state, sorted(map(str, summary.items())))).encode()
    ).hexdigest()
    if folder.record_path.exists():
        known = folder.record().get("pulled", {})
        if known.get("version") == version:
            return folder.path
        if known.get("id", run.id) != run.id:  # two runs of one name
            folder = RunFolder(root / f"{_plain(run.name)}_{run.id}")
    folder.path.mkdir(parents=True, exist_ok=True)
    ours = (folder.result_path, folder.error_path, folder.record_path, folder.predictions_path)
    for path in ours:
        path.unlink(missing_ok=True)
    _write_history(run, folder)
    _write_predictions(run, folder)
    _write_end(summary, folder)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    files.write_json(  # last: a folder without it is written again
        folder.record_path,
        {
            "name": run.name,
            "config": config,
            **{key: facts[key] for key in _RUN_KEYS if key in facts},
            "wandb": {
                "id": run.id,
                "url": run.url,
                "state": "synced",
                "project": run.project,
                "entity": run.entity,
            },
            "pulled": {"id": run.id, "version": version, "time": now, "from": facts["folder"]},
        },
    )
    return folder.path


def _write_history(run: Any, folder: RunFolder) -> None:
    rows = [
        {key: value for key, value in row.items() if key[0] != "_" and _is_plain(value)}
        for row in held.history(run)
        if "step" in row
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    files.write_text(folder.metrics_path, text)


def _write_predictions(run: Any, folder: RunFolder) -> None:
    """Those of the test set; a run that never read it has none."""
    name = folder.predictions_path.name
    for file in run.files([name]):
        file.download(root=str(folder.path), replace=True)


def _write_end(summary: Mapping[str, Any], folder: RunFolder) -> None:
    reason = summary.get("reason", "")
    if summary["state"] == "failed":
        folder.write_error(str(reason) or "failed")
    elif summary["state"] != "interrupted":
        own = {key: value for key, value in summary.items() if "/" in key and _is_plain(value)}
        best = {k.removeprefix("best/"): v for k, v in own.items() if k.startswith("best/")}
        if "best/step" in summary:
            best["step"] = summary["best/step"]
        folder.write_result(
            state=summary["state"],
            reason=reason,
            metrics={k: v for k, v in own.items() if not k.startswith(("best/", "optimizer/"))},
            best=best,
            num_params=summary.get("num_params"),
            steps=summary.get("num_steps"),
            seconds=summary.get("seconds"),
        )


def _is_plain(value: Any) -> bool:
    return isinstance(value, int | float | str) and not isinstance(value, bool)


def _plain(name: str) -> str:
    """A name as one folder's name."""
    return name.replace("/", "_").replace(os.sep, "_").lstrip(".") or "_"
