"""A W&B report of a comparison: published where W&B is at hand, else kept as its specification.

The verdict table goes in as text, so that its numbers are those of the other renderings. W&B's own
panels show what W&B computes: means and standard errors of what was mirrored.
"""

import json
import logging
import os
import queue
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mnist_seq.report.render.wandb_blocks import compose as _compose
from mnist_seq.report.render.wandb_blocks import library
from mnist_seq.report.value import Report
from mnist_seq.runs.files import write_text
from mnist_seq.runs.text import cut

NAME = "wandb_report.json"
_NO_KEY = "credentials did not work"
PATIENCE = 60.0  # seconds until W&B must have taken the report
log = logging.getLogger("mnist_seq.report")
_LATER = (
    "once `wandb login` has stored a key and the runs are in W&B (`python -m mnist_seq.sync`), the "
    "same command publishes it"
)


def publish(report: Report, folder: Path) -> list[str]:
    """Publish the report in the place of this folder's last one, or say why not.

    Returns:
        What happened, one line each.
    """
    path = folder / NAME
    known, specified = _published(path), specification(report)
    _write(path, {**specified, "published": known})
    lines = [f"written: {path}"]
    if why := _why_offline(report):
        return [*lines, f"W&B report: not published, {why}; {_LATER}"]
    answers: queue.SimpleQueue[tuple[str, dict[str, str]]] = queue.SimpleQueue()
    # On a thread, since a server that does not answer holds a save for minutes
    threading.Thread(target=lambda: answers.put(_saved(report, known)), daemon=True).start()
    try:
        line, place = answers.get(timeout=PATIENCE)
        _write(path, {**specified, "published": place or known})
        return [*lines, line]
    except queue.Empty:
        why = f"W&B did not answer in {PATIENCE:g} s"
        return [*lines, f"W&B report: not published, {why}; {_LATER}"]


def specification(report: Report) -> dict[str, Any]:
    """The report as W&B stores it, made without a server, a key or a network."""
    model = _compose(report, is_online=False)._to_model()
    spec = json.loads(model.spec.model_dump_json(by_alias=True, exclude_none=True))
    return {"title": model.display_name, "project": report.mirror.project, "spec": spec}


def _why_offline(report: Report) -> str:
    if not report.mirror.project:
        return "the runs have no W&B project (tracker=none)"
    if (given := os.environ.get("WANDB_DISABLED", "")).lower() in ("true", "1", "yes"):
        return f"WANDB_DISABLED={given}"
    if os.environ.get("WANDB_MODE") in ("offline", "dryrun", "disabled"):
        return f"WANDB_MODE={os.environ['WANDB_MODE']}"
    if not any(report.mirror.ids.values()):
        return "none of the runs was mirrored to W&B"
    try:
        wandb = library()
        has_key = wandb.login(prompt=False, verify=False)
    except Exception as error:  # whatever wandb raises here, the answer is offline, and says why
        is_asked = type(error).__module__.startswith("wandb.")  # else a variable is wrong
        return f"{_NO_KEY if is_asked else 'wandb does not start'} ({_reason(error)})"
    return "" if has_key else "no credentials"


def _saved(report: Report, known: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Save the report in the place of its last one, or as a new one.

    Returns:
        The line that says so, and where it is; or why not, and nothing.
    """
    try:
        report = _owned(report)
        made = _compose(report, is_online=True)
        place = {"entity": report.mirror.entity, "project": report.mirror.project}
        if not (known.items() >= place.items() and _has_replaced(made, known["id"])):
            made.save()
        return f"W&B report: {made.url}", {"id": made.id, **place}
    except Exception as error:  # a report on the disk is no worse for it
        return f"W&B report: not published, {_reason(error)}; {_LATER}", {}


def _owned(report: Report) -> Report:
    """The report with its entity, which W&B is asked for where no run.json names one.

    Raises:
        Exception: W&B does not answer, or names none. An address without it leads nowhere.
    """
    if report.mirror.entity:
        return report
    entity = os.environ.get("WANDB_ENTITY") or library().Api().default_entity
    if not entity:
        raise ValueError("W&B names no entity for this account; set WANDB_ENTITY")
    return replace(report, mirror=replace(report.mirror, entity=str(entity)))


def _has_replaced(made: Any, report_id: str) -> bool:
    """Save a report in the place of another one, which may have been deleted there."""
    made.id = report_id
    try:
        made.save()
    except Exception as error:  # in many ways; a report of its own may be taken all the same
        log.debug("W&B's report could not be replaced: %s", _reason(error))
        made.id = ""
    return bool(made.id)


def _published(path: Path) -> dict[str, str]:
    """Where W&B has a folder's report: its id, entity and project; nothing where it has none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["published"]
        return {key: str(found[key]) for key in ("id", "entity", "project")}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _write(path: Path, values: Mapping[str, Any]) -> None:
    write_text(path, json.dumps(values, indent=1) + "\n")


def _reason(error: BaseException) -> str:
    return cut(str(error))[:200] or type(error).__name__
