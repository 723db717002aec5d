"""Where W&B has the runs of a comparison."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mnist_seq.report.analyse.grouping import Group
from mnist_seq.report.read.run import Run
from mnist_seq.report.value import Mirror
from mnist_seq.runs.text import fitting


def mirror_of(groups: Sequence[Group]) -> Mirror:
    """Where W&B has the runs: from their run.json, else from their configs.

    The place is that of most of the runs that were on a server. The others do not know whose they
    will be: their entity is "default".
    """
    runs = [run for own in groups for run in own.runs]
    known = {run.folder: _mirrored(run) for run in runs}
    placed = [found for found in known.values() if found.get("url")]
    places = placed or [found for found in known.values() if found]
    entity = _most(places, "entity") or runs[0].values.get("tracker.entity", "default")
    return Mirror(
        entity="" if entity == "default" else str(entity),
        project=_most(places, "project") or str(runs[0].values.get("tracker.project", "")),
        groups=tuple(dict.fromkeys(_group_of(run) for run in runs)),
        ids={
            place: tuple(str(found) for run in own.runs if (found := known[run.folder].get("id")))
            for place, own in enumerate(groups)
        },
    )


def _mirrored(run: Run) -> Mapping[str, Any]:
    """What run.json says of W&B."""
    found = run.record.get("wandb")
    return found if isinstance(found, Mapping) else {}


def _most(places: Sequence[Mapping[str, Any]], key: str) -> str:
    """The most frequent value; "" where there is none but "default"."""
    values = [str(place[key]) for place in places if place.get(key) not in (None, "", "default")]
    return Counter(values).most_common(1)[0][0] if values else ""


def _group_of(run: Run) -> str:
    """The run's group in W&B."""
    held = _mirrored(run).get("variables")
    own = held.get("WANDB_RUN_GROUP") if isinstance(held, Mapping) else None
    return fitting(str(own or run.values.get("sweep.name")))
