"""Asks W&B's server what it has of runs."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mnist_seq.tracking.wandb import package

BATCH = 50  # runs a query

Row = dict[str, Any]


@dataclass(frozen=True)
class ServerRun:
    """A run as the server has it.

    Attributes:
        steps: training step of each row of its history, in order.
    """

    id: str
    url: str
    state: str
    summary: Mapping[str, Any]
    config: Mapping[str, Any]
    name: str
    group: str
    tags: list[str]
    steps: list[int]
    entity: str = ""


def path_of(project: str, entity: str) -> str:
    """A project as W&B's Api names it."""
    return project if entity == "default" else f"{entity}/{project}"


def fetch(ids: Iterable[tuple[str, str]], *, timeout: float) -> dict[str, ServerRun]:
    """The runs that the server has, by their ids.

    Args:
        ids: the project's path and the run's id, of each run.
        timeout: seconds that the server gets to answer.

    Raises:
        Exception: the server does not answer, or refuses.
    """
    wanted = defaultdict(list)
    for project, run_id in ids:
        wanted[project].append(run_id)
    found = {}
    for project, names in wanted.items():
        for start in range(0, len(names), BATCH):
            filters = {"name": {"$in": names[start : start + BATCH]}}
            for run in runs(project, filters, timeout=timeout):
                found[run.id] = _server_run(run, [int(r["step"]) for r in history(run, ["step"])])
    return found


def runs(project: str, filters: Mapping[str, Any], *, timeout: float) -> list[Any]:
    """W&B's runs of a project; an empty list where there is no such project.

    Raises:
        Exception: the server does not answer, or refuses.
    """
    wandb = package.load()
    api = wandb.Api(timeout=max(1, round(timeout)))
    try:
        return list(api.runs(project, filters=dict(filters), per_page=BATCH, lazy=False))
    except ValueError as error:
        if "Could not find project" in str(error):
            return []
        raise


def history(run: Any, keys: list[str] | None = None) -> list[Row]:
    """Rows of a run's history. Without keys: all rows; with keys: the rows that have them."""
    return [dict(row) for row in run.scan_history(keys=keys)]


def _server_run(run: Any, steps: list[int]) -> ServerRun:
    return ServerRun(
        run.id,
        run.url,
        run.state,
        dict(run.summary),
        dict(run.config),
        run.name,
        run.group or "",
        list(run.tags),
        steps,
        str(run.entity or ""),
    )
