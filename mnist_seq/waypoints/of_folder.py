"""Finds the stored curve of a run, and where the run is beside it."""

import functools
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mnist_seq.published.curve import FEWEST_SEEDS
from mnist_seq.published.stored import Stored, read, results_dirs
from mnist_seq.runs.console import near
from mnist_seq.runs.folder import RunFolder
from mnist_seq.runs.text import one_line, share, some
from mnist_seq.waypoints.judge import Standing, standing
from mnist_seq.waypoints.matching import takes_same_steps

log = logging.getLogger("mnist_seq.waypoints")


def stored_for(config: Mapping[str, Any], fingerprint: str) -> Stored | None:
    """The stored result whose runs take the same steps as one of this config, or None.

    Looks in `results/` of a user's own folders, and in our `docs/results/`. A file that cannot be
    read costs a warning.

    Args:
        config: as run.json has it.
        fingerprint: of its data.
    """
    for folder in results_dirs():
        for path in sorted(folder.glob("*.json")):
            stored = _read(path, path.stat().st_mtime_ns)
            if stored is None or not stored.curve.updates or stored.curve.n < FEWEST_SEEDS:
                continue
            is_same_data = stored.fingerprint in ("", fingerprint)
            if is_same_data and takes_same_steps(stored, config):
                return stored
    return None


def standing_of(run: RunFolder) -> Standing | None:
    """Where a run is beside its stored curve; None where it has none, or cannot be read."""
    try:
        record = run.record()
        stored = stored_for(record["config"], record["data"].get("fingerprint", ""))
        if stored is None:
            return None
        return standing(stored, record, run.metrics(), run.judged())
    except (OSError, ValueError, KeyError):
        return None


def summary(runs: Sequence[RunFolder]) -> str:
    """One line on the runs that have a stored curve; "" where none has.

    Those that are worse than what its seeds gave are named.
    """
    found = {run.path.name: place for run in runs if (place := standing_of(run))}
    if not found:
        return ""
    worse = [name for name, of in found.items() if of.place == "worse"]
    better = sum(of.place == "better" for of in found.values())
    ids = some(sorted({of.stored.id for of in found.values()}))
    within = share(len(found) - len(worse) - better, len(found), "run")
    text = f"waypoints: {within} within what stored seeds gave ({ids})"
    text += f", {better} better" if better else ""
    return f"{text}, {len(worse)} worse: {some(worse)}" if worse else text


@functools.lru_cache(maxsize=256)
def _read(path: Path, changed: int) -> Stored | None:
    """A stored result, read once until its file changes."""
    try:
        return read(path)
    except (OSError, ValueError) as error:
        log.warning(f"no run is compared with {near(path)}: {one_line(error)}")
        return None
