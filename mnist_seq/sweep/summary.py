"""What a sweep shows before it runs (the plan) and after (what came of it)."""

import math
import shlex
from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from mnist_seq.config import plain
from mnist_seq.runs.console import cell, say
from mnist_seq.runs.variants import Flat, flat, naming_keys, title
from mnist_seq.sweep.estimate import Speeds, estimate, total
from mnist_seq.sweep.failures import reason, state_of
from mnist_seq.sweep.plan import Plan, PlannedRun
from mnist_seq.sweep.pool import log_path
from mnist_seq.sweep.times import duration


def grouped(runs: Sequence[PlannedRun]) -> list[tuple[str, Flat, list[PlannedRun]]]:
    """Runs by variant: title, flat config, runs."""
    groups: dict[tuple[tuple[str, object], ...], list[PlannedRun]] = {}
    flats: dict[tuple[tuple[str, object], ...], Flat] = {}
    for run in runs:
        config = flat(plain(run.config))
        key = tuple(sorted(config.items(), key=lambda item: item[0]))
        groups.setdefault(key, []).append(run)
        flats[key] = config
    keys = naming_keys(flats.values())
    return [(title(flats[key], keys), flats[key], members) for key, members in groups.items()]


def show_plan(
    plan: Plan, console: Console, *, speeds: Speeds, workers: int, params: list[int]
) -> None:
    """Print what the sweep will do.

    Args:
        params: parameters of each variant, in the order of `grouped`.
    """
    say(console, f"sweep {plan.folder.path}")
    for notice in plan.notices:
        say(console, notice)
    groups = grouped(plan.runs)
    estimates = [estimate(members[0].config, speeds) for _, _, members in groups]
    has_estimates = not all(math.isnan(seconds) for seconds in estimates)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("variant", overflow="fold")
    for column in ("runs", "to do", "reused", "parameters", *["each"] * has_estimates):
        table.add_column(column, justify="right", no_wrap=True)
    for (name, _, runs), num_params, seconds in zip(groups, params, estimates, strict=True):
        num_todo = sum(run.action != "reuse" for run in runs)
        num_added = sum(run.is_baseline for run in runs)
        mark = "" if not num_added else " (added as baseline)"
        if 0 < num_added < len(runs):
            mark = f" ({num_added} added as baseline)"
        cells = [f"{len(runs)}", f"{num_todo}", f"{len(runs) - num_todo}", f"{num_params:,}"]
        cells += ["" if math.isnan(seconds) else duration(seconds)] * has_estimates
        table.add_row(cell(name + mark), *cells)
    console.print(table)
    say(console, _plan_in_a_line(plan, speeds=speeds, workers=workers))


def _plan_in_a_line(plan: Plan, *, speeds: Speeds, workers: int) -> str:
    counts = Counter(str(run.action) for run in plan.runs)
    words = {"run": "new", "resume": "to resume", "retry": "failed before, again", "rerun": "anew",
             "reuse": "finished, reused"}  # fmt: skip
    parts = [f"{counts[action]} {word}" for action, word in words.items() if counts[action]]
    seconds = total([estimate(run.config, speeds) for run in plan.todo], workers)
    about = f"; about {duration(seconds)}, {workers} at once" if not math.isnan(seconds) else ""
    runs = "1 run" if len(plan.runs) == 1 else f"{len(plan.runs)} runs"
    return f"{runs}: {', '.join(parts)}{about if plan.todo else ''}"


def show_end(
    plan: Plan,
    console: Console,
    *,
    seconds: float,
    stop_reason: str,
    command: str,
) -> int:
    """Print what came of the sweep.

    Args:
        stop_reason: why it was stopped early, or "".
        command: the words that were typed, to type again.

    Returns:
        The number of runs that are not done; one that failed may have had no room to say so.
    """
    states = {run.name: state_of(run.folder)[0] for run in plan.runs}
    failed = [run for run in plan.runs if states[run.name] == "failed"]
    if failed:
        say(console, f"\n{len(failed)} failed:")
        for run in failed:
            say(console, f"  {run.name}: {reason(run.folder)}\n    {log_path(run.folder.path)}")
    counts = Counter(states.values())
    reused = sum(run.action == "reuse" for run in plan.runs)
    parts = [f"{counts['finished'] + counts['diverged']} of {len(plan.runs)} runs done"]
    parts += [f"{reused} of them reused"] * bool(reused)
    for state in ("diverged", "failed", "interrupted"):
        parts += [f"{counts[state]} {state}"] * bool(counts[state])
    parts += [f"{counts['absent']} not started"] * bool(counts["absent"])
    num_undone = len(plan.runs) - counts["finished"] - counts["diverged"]
    say(console, f"\n{', '.join(parts)}; {duration(seconds)}; {plan.folder.path}")
    if stop_reason:
        say(console, f"stopped: {stop_reason}")
    if num_undone:
        say(console, f"to go on: {command}")
    else:
        say(
            console, f"next: python -m mnist_seq.compare sweep={shlex.quote(str(plan.folder.path))}"
        )
    return num_undone
