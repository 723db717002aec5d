"""Prints the plan of a sweep before it runs, and its summary at the end."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from mnist_seq.runs.commands import to_compare, to_look
from mnist_seq.runs.console import cell, near, say, say_command, wrapped
from mnist_seq.runs.text import duration, plural, share, some
from mnist_seq.runs.variants import Flat, VariantKey, naming_keys, title
from mnist_seq.sweep.plan.estimate import Speeds, estimate, estimates, total
from mnist_seq.sweep.plan.planner import Plan, PlannedRun
from mnist_seq.sweep.pool.failures import reason, state_of
from mnist_seq.sweep.pool.pool import log_path
from mnist_seq.waypoints import of_folder as waypoints

if TYPE_CHECKING:
    from mnist_seq.report.value import Report

FEW_SEEDS = 5  # that a sweep of one seed is told to go on with
MIN_NAME = 20  # least width of a variant's name in a narrow terminal; columns are dropped instead
_FIRST_TO_GO = ("each", "done", "parameters", "to do", "runs")


def grouped(runs: Sequence[PlannedRun]) -> list[tuple[str, Flat, list[PlannedRun]]]:
    """The runs by variant, each with its title and flat config."""
    groups: dict[VariantKey, tuple[Flat, list[PlannedRun]]] = {}
    for run in runs:
        groups.setdefault(run.variant.key, (run.variant.flat, []))[1].append(run)
    keys = naming_keys(config for config, _ in groups.values())
    return [(title(config, keys), config, members) for config, members in groups.values()]


def show_plan(
    plan: Plan, console: Console, *, speeds: Speeds, workers: int, params: list[int]
) -> None:
    """Print the plan.

    Args:
        params: number of parameters of each variant, in the order of `grouped`.
    """
    say(console, f"sweep {near(plan.folder.path)}")
    for notice in plan.notices:
        say(console, notice)
    groups = grouped(plan.runs)
    names = [name + _added(runs) for name, _, runs in groups]
    members = [runs for _, _, runs in groups]
    num_todo = [sum(run.action != "reuse" for run in runs) for runs in members]
    each = [estimate(runs[0].config, speeds) for runs in members]
    columns = {
        "runs": [str(len(runs)) for runs in members],
        "to do": [str(num) for num in num_todo],
        "done": [str(len(runs) - num) for runs, num in zip(members, num_todo, strict=True)],
        "parameters": [f"{num:,}" for num in params],
        "each": ["" if math.isnan(seconds) else duration(seconds) for seconds in each],
    }
    if not any(columns["each"]):
        del columns["each"]
    for column in _FIRST_TO_GO:
        widths = [max(map(len, (head, *cells))) + 2 for head, cells in columns.items()]
        if console.width - sum(widths) >= min(MIN_NAME, max(map(len, names))):
            break
        columns.pop(column, None)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("variant", no_wrap=True)
    for head in columns:
        table.add_column(head, justify="right", no_wrap=True)
    room = console.width - sum(max(map(len, (head, *cells))) + 1 for head, cells in columns.items())
    for name, *cells in zip(names, *columns.values(), strict=True):
        table.add_row(cell("\n".join(wrapped(name, room - 1, indent="  "))), *cells)
    console.print(table)
    say(console, _plan_in_a_line(plan, speeds=speeds, workers=workers))


def _added(runs: Sequence[PlannedRun]) -> str:
    """The note after the name of a variant to which the plan added runs."""
    num_added = sum(run.is_baseline for run in runs)
    if num_added == len(runs):
        return " (added as baseline)"
    return f" ({num_added} added as baseline)" if num_added else ""


def _plan_in_a_line(plan: Plan, *, speeds: Speeds, workers: int) -> str:
    counts = Counter(str(run.action) for run in plan.runs)
    words = {"run": "new", "resume": "to resume", "retry": "to try again after a failure",
             "rerun": "to run anew", "reuse": "already done"}  # fmt: skip
    parts = [f"{counts[action]} {word}" for action, word in words.items() if counts[action]]
    seconds = total(estimates(plan.todo, speeds), workers)
    about = f"; about {duration(seconds)}, {workers} at once" if not math.isnan(seconds) else ""
    most = "at most " if plan.is_at_most else ""
    runs = plural(len(plan.runs), "run")
    return f"{most}{runs}: {', '.join(parts)}{about if plan.todo else ''}"


def show_end(
    plan: Plan,
    console: Console,
    *,
    seconds: float,
    stop_reason: str,
    command: str,
    report: "Report | None",
) -> int:
    """Print the summary.

    Args:
        stop_reason: why it was stopped early, or "".
        command: the command, to be typed again.
        report: what was printed of the runs, if anything.

    Returns:
        The number of runs that are not done; a failed run lacks error.txt if the disk is full.
    """
    states = {run.name: state_of(run.folder)[0] for run in plan.runs}
    failed = [run for run in plan.runs if states[run.name] == "failed"]
    if failed:
        say(console, f"\n{len(failed)} failed:")
        for run in failed:
            say(
                console,
                f"  {run.name}: {reason(run.folder)}\n    {near(log_path(run.folder.path))}",
            )
    counts = Counter(states.values())
    reused = sum(run.action == "reuse" for run in plan.runs)
    parts = [f"{share(counts['finished'] + counts['diverged'], len(plan.runs), 'run')} done"]
    parts += [f"{reused} of them before"] * bool(reused)
    for state in ("diverged", "failed", "interrupted"):
        parts += [f"{counts[state]} {state}"] * bool(counts[state])
    parts += [f"{counts['absent']} not started"] * bool(counts["absent"])
    if beside := waypoints.summary([run.folder for run in plan.runs]):
        say(console, beside)
    num_undone = len(plan.runs) - counts["finished"] - counts["diverged"]
    say(console, f"\n{', '.join(parts)}; {duration(seconds)}; {near(plan.folder.path)}")
    if stop_reason:
        say(console, f"stopped: {stop_reason.removeprefix('interrupted by ')}")
    if num_undone:
        say_command(console, "to go on:", command)
    else:
        more_seeds = with_seeds(report) if report and not stop_reason else ""
        compare = to_compare(Path(near(plan.folder.path)), where=plan.where)
        say_command(console, "next:", more_seeds or compare)
    return num_undone


def say_submitted(
    new: Sequence[str], earlier: Sequence[str], console: Console, folder: Path, command: str
) -> None:
    """Say which jobs a command leaves behind that does not wait for them.

    Args:
        new, earlier: of each run, the id of the job that it has submitted, or that was there.
        command: the command, to be typed again.
    """
    if earlier:
        jobs = some(list(dict.fromkeys(earlier)))
        say(console, f"{plural(len(earlier), 'run')} in the queue or at work: {jobs}")
    if new:
        ids = list(dict.fromkeys(new))
        packed = f" in {plural(len(ids), 'job')}" if len(ids) < len(new) else ""
        say(console, f"{plural(len(new), 'run')} submitted{packed}: {some(ids)}")
    say_command(console, "how far they are:", to_look(Path(near(folder))))
    say_command(console, "to collect them, and submit again what was lost:", command)


def with_seeds(report: "Report") -> str:
    """The sweep's command with more seeds, where one seed each allows no verdict; else ""."""
    seeds = {seed for v in report.variants for seed in v.seeds}
    if len(seeds) != 1 or len(report.variants) < 2:
        return ""
    (first,) = seeds
    wanted = f"range({first},{first + FEW_SEEDS})" if first else f"range({FEW_SEEDS})"
    return report.asked.command({"seed": wanted})


def show_table(plan: Plan, console: Console, *, defaults: Flat) -> "Report | None":
    """Print the comparison with the baseline, as `mnist_seq.compare` does.

    Args:
        defaults: flat config of `conf/train.yaml`, which says what the baseline is.

    Returns:
        What was printed; None where no run has finished, or the runs cannot be compared.
    """
    states = [state_of(run.folder)[0] for run in plan.runs]
    if "finished" not in states:
        return None
    from mnist_seq.report.analyse.suite import build_report
    from mnist_seq.report.options import Options
    from mnist_seq.report.read.collect import collect
    from mnist_seq.report.render.terminal import print_table

    try:
        found = collect([Path(near(plan.folder.path))])
        options = Options(where=plan.where)
        report = build_report(found, options, defaults=defaults, is_table_only=True)
    except ValueError as error:  # the folder may also have runs of another command
        say(console, f"no comparison: {error}")
        return None
    console.print()
    print_table(report, console)
    return report
