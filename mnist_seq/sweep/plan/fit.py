"""Asks whether the runs of a plan can train here, and how large they are: torch answers."""

import contextlib
from collections.abc import Sequence

from mnist_seq.config import Config
from mnist_seq.sweep.plan.planner import Plan, PlannedRun
from mnist_seq.sweep.pool.asking import with_torch


def check_fit(plan: Plan, *, is_here: bool) -> None:
    """Refuse a plan with an impossible run.

    Args:
        is_here: whether the runs train on this machine; otherwise each checks its own machine.

    Raises:
        ConfigError: names the key to be changed.
    """
    if not plan.todo:
        return
    from mnist_seq.tracking import check_tracker

    if is_here:
        variants = dict.fromkeys(run.variant for run in plan.todo)
        with_torch(_check_machine, [variant.prepared.config for variant in variants])
    for config in {run.config.tracker.name: run.config for run in plan.todo}.values():
        check_tracker(config)


def num_params(groups: Sequence[Sequence[PlannedRun]]) -> list[int]:
    """Number of parameters of each variant, from its runs where one is there."""
    found = [_recorded_params(runs) for runs in groups]
    unknown = [runs[0].config for runs, num in zip(groups, found, strict=True) if num is None]
    counted = iter(with_torch(_count, unknown) if unknown else [])
    return [next(counted) if num is None else num for num in found]


def _recorded_params(runs: Sequence[PlannedRun]) -> int | None:
    for run in runs:
        if run.action == "reuse":
            with contextlib.suppress(KeyError, TypeError):
                return int(run.folder.result()["num_params"])
    return None


def _check_machine(configs: Sequence[Config]) -> None:
    from mnist_seq.training.preflight.prepare import check_machine

    for config in configs:
        check_machine(config)


def _count(configs: Sequence[Config]) -> list[int]:
    from mnist_seq.training.preflight import count

    return [count.num_params(config) for config in configs]
