"""The mirror of a sweep: one process and one choice for all of its runs."""

import contextlib
import dataclasses
import logging
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mnist_seq.config import Config, identity, plain
from mnist_seq.runs.variants import BaselineRule, distinct, flat
from mnist_seq.tracking.wandb.desk import Desk, Tell
from mnist_seq.tracking.wandb.mirror import SweepMirror, tracker_of


@contextlib.contextmanager
def mirrored(
    configs: Sequence[Config],
    home: Path,
    *,
    defaults: Callable[[], Mapping[str, Any]],
    tell: Tell,
) -> Iterator[list[SweepMirror]]:
    """Mirror a sweep while the block runs; its end waits for W&B, and says what is where.

    Args:
        configs: of the runs that are to be launched.
        home: the sweep's folder.
        defaults: gives the config of `conf/train.yaml` as it stands, which tells the baselines.
        tell: called with a level of `logging` and a line.

    Yields:
        Views to be told what happens in the pool; none where nothing is mirrored.
    """
    trackers = [tracker for config in configs if (tracker := tracker_of(config)) is not None]
    if not trackers:
        yield []
        return
    finish = max(tracker.finish for tracker in trackers)
    desk = Desk(home.resolve(), finish=finish, is_sweep=True, tell=tell)
    try:
        keys = baselines(configs, defaults())
        tell(logging.INFO, desk.choose(dataclasses.asdict(trackers[0])))
        yield [SweepMirror(desk, keys)]
    finally:
        desk.close()
        for text in ending_lines(desk, home):
            tell(logging.INFO, text)


def baselines(configs: Sequence[Config], defaults: Mapping[str, Any]) -> frozenset[str]:
    """Config hashes of the runs that other runs of the sweep are compared with."""
    variants = {identity(config): flat(plain(config)) for config in configs}
    different = distinct(variants.values())
    rule = BaselineRule(different, defaults=flat(defaults))
    return frozenset(
        key
        for key, variant in variants.items()
        if any(other != variant and rule.is_baseline(variant, other) for other in different)
    )


def ending_lines(desk: Desk, home: Path) -> list[str]:
    """How many runs are where, and the command that brings there what is not."""
    counts = {state: desk.states[state] for state in ("synced", "offline", "partial")}
    said = ", ".join(f"{n} {state}" for state, n in counts.items() if n)
    if not said:
        return []
    rest = counts["offline"] + counts["partial"]
    command = f"python -m mnist_seq.sync sweep={shlex.quote(str(home))}"
    hint = f"; {command} brings them there" if rest else ""
    return [f"W&B: {said}{hint}"]
