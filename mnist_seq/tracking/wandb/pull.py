"""Takes runs of other machines from W&B, and writes them as run folders of our own format."""

import contextlib
import datetime
import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist_seq.config import plain
from mnist_seq.config.errors import ConfigError
from mnist_seq.config.parse import parse_plain
from mnist_seq.runs import files
from mnist_seq.runs.folder import RunFolder
from mnist_seq.runs.text import fitting, plural
from mnist_seq.tracking.wandb import package
from mnist_seq.tracking.wandb.pull_sweep import download, write_sweep
from mnist_seq.tracking.wandb.run import contents
from mnist_seq.tracking.wandb.sync import server_state
from mnist_seq.tracking.wandb.sync.server_state import path_of

_ENDED = ("finished", "diverged", "failed", "interrupted")


@dataclass(frozen=True)
class Pulled:
    """A sweep taken from W&B.

    Attributes:
        paths: the run folders, sorted by name.
        left_out: how many runs of the group were left out and why, one line; or "".
    """

    paths: list[Path]
    left_out: str


def pull(
    project: str, group: str, cache: Path, *, entity: str = "default", timeout: float = 30.0
) -> Pulled:
    """Write the ended runs of a sweep from W&B as run folders. Weights are not downloaded.

    A run whose folder is there and that has not changed in W&B is not read again.

    Args:
        group: the sweep's name.
        cache: the run folders are `<cache>/<project>/<group>/<run>`.
        timeout: seconds that the server gets to answer.

    Raises:
        ConfigError: no credentials, no such runs, or the server did not answer.
    """
    package.use_environment(cache)
    try:
        if not package.has_credentials(verify=False):
            raise ConfigError(
                "W&B wants an account: no credentials; run `wandb login`, or set WANDB_API_KEY"
            )
        filters = {"group": fitting(group)}
        found = server_state.runs(path_of(project, entity), filters, timeout=timeout)
        kept, left_out = _chosen(found)
        root = cache / _plain(project) / _plain(group)
        paths = [_written(run, root) for run in kept]
        write_sweep(kept, paths, root)
    except (ConfigError, OSError):
        raise
    except Exception as error:  # wandb raises many types
        raise ConfigError(
            f"W&B must answer: project={project} group={group}: {package.reason(error)}; try "
            "again, or compare local folders with sweep=..."
        ) from None
    if not paths:
        others = f" ({left_out})" if left_out else ""
        raise ConfigError(
            f"W&B holds no ended runs of this project: project={project} group={group}{others}; "
            "`python -m mnist_seq.sync` brings a sweep there"
        )
    return Pulled(sorted(paths), left_out)


def _chosen(found: Sequence[Any]) -> tuple[list[Any], str]:
    """The ended runs of this project, the last one of each folder; and why others are left out."""
    whys = {run.id: _why_not(run) for run in found}
    ours = [run for run in found if not whys[run.id]]
    latest = _latest(ours)
    counts = Counter(why for why in whys.values() if why)
    counts["replaced by a later run of their folder"] += len(ours) - len(latest)
    parts = [f"{count} {why}" for why, count in counts.items() if count]
    text = f"left out of the group's {plural(len(found), 'run')} in W&B: {', '.join(parts)}"
    return latest, text if parts else ""


def _why_not(run: Any) -> str:
    """Why a run cannot be compared, or ""."""
    config = dict(run.config)
    facts = config.get("run")
    names = [config.get(group) for group in ("model", "data", "training", "sweep")]
    is_ours = all(isinstance(group, Mapping) for group in (facts, *names)) and "seed" in config
    if not is_ours or not isinstance(config["run"].get("config_hash"), str):
        return "not of this project"
    if run.state == "running":
        return "still running"
    if dict(run.summary).get("state") not in _ENDED:
        return f"{run.state} without a recorded end"
    return ""


def _latest(runs: Sequence[Any]) -> list[Any]:
    """The newest run of each folder: a rerun replaces the run that was there."""
    facts = {run.id: dict(run.config)["run"] for run in runs}
    place = {i: f"{found.get('host')} {found.get('folder', i)}" for i, found in facts.items()}
    in_time = sorted(runs, key=lambda run: str(facts[run.id].get("created", "")))
    return list({place[run.id]: run for run in in_time}.values())


def _written(run: Any, root: Path) -> Path:
    """Write a run's folder, unless it is there and W&B has nothing new."""
    config, summary = dict(run.config), dict(run.summary)
    facts = config.pop("run")
    content = (
        run.id,
        run.state,
        run.lastHistoryStep,
        sorted(map(str, summary.items())),
        run.config,
    )
    version = hashlib.sha256(repr(content).encode()).hexdigest()
    folder = RunFolder(root / _plain(run.name))
    if _known(folder).get("id", run.id) != run.id:  # two runs have one name
        folder = RunFolder(root / f"{_plain(run.name)}_{run.id}")
    if _is_there(folder, version):
        return folder.path
    folder.path.mkdir(parents=True, exist_ok=True)
    ours = (folder.result_path, folder.error_path, folder.record_path, folder.predictions_path)
    for path in ours:
        path.unlink(missing_ok=True)
    num_rows = _write_history(run, folder)
    is_whole = _write_predictions(run, folder)
    _write_end(summary, folder)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    files.write_json(  # written last: a folder without it is written again
        folder.record_path,
        {
            "name": run.name,
            "config": _in_order(config),
            **{key: facts[key] for key in contents.FACTS if key in facts},
            "wandb": {
                "id": run.id,
                "url": run.url,
                "state": "synced",
                "project": run.project,
                "entity": run.entity,
                "variables": _variables(run, config),
            },
            "pulled": {
                "id": run.id,
                "version": version if is_whole else "",  # an incomplete one is read again
                "rows": num_rows,
                "time": now,
                "from": facts.get("folder", ""),
            },
        },
    )
    return folder.path


def _variables(run: Any, config: Mapping[str, Any]) -> dict[str, str]:
    """What a report must know of the run's group, where that is not the sweep's name."""
    is_own = not run.group or run.group == fitting(str(config["sweep"].get("name")))
    return {} if is_own else {"WANDB_RUN_GROUP": str(run.group)}


def _known(folder: RunFolder) -> dict[str, Any]:
    """What an earlier pull recorded of a folder; {} where that cannot be read."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        found = folder.record().get("pulled", {})
        return found if isinstance(found, dict) else {}
    return {}


def _is_there(folder: RunFolder, version: str) -> bool:
    known = _known(folder)
    with contextlib.suppress(FileNotFoundError, ValueError):
        return known.get("version") == version and known.get("rows") == len(folder.metrics())
    return False


def _in_order(config: dict[str, Any]) -> dict[str, Any]:
    """A config with its keys in their usual order, which names of variants need and W&B loses."""
    try:
        template = plain(parse_plain(config))
    except ConfigError:  # of another version of this package
        return config
    return {key: _like(config[key], template.get(key)) for key in template if key in config}


def _like(value: Any, template: Any) -> Any:
    if not isinstance(value, Mapping) or not isinstance(template, Mapping):
        return template if template == value else value  # 1.0 may have come back as 1
    keys = [*(key for key in template if key in value), *(k for k in value if k not in template)]
    return {key: _like(value[key], template.get(key)) for key in keys}


def _write_history(run: Any, folder: RunFolder) -> int:
    rows = [
        {key: value for key, value in row.items() if key[0] != "_" and _is_plain(value)}
        for row in server_state.history(run)
        if "step" in row
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    files.write_text(folder.metrics_path, text)
    return len(rows)


def _write_predictions(run: Any, folder: RunFolder) -> bool:
    """Download predictions.npz, which a run that never read the test set has not.

    Returns:
        False where W&B lists the file and has no content: its upload was refused.
    """
    return download(run, folder.predictions_path) is not False


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
            **{k: summary[k] for k in ("state_size", "multiply_adds") if k in summary},
            steps=summary.get("num_steps"),
            seconds=summary.get("seconds"),
        )


def _is_plain(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plain(name: str) -> str:
    """A name that is safe as the name of one folder."""
    return name.replace("/", "_").replace(os.sep, "_").lstrip(".") or "_"
