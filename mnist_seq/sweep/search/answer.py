"""What a search ends with: its best trial, as a table, a file and a command."""

from collections import Counter
from typing import Any

from omegaconf import OmegaConf
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from mnist_seq.runs import files
from mnist_seq.runs.commands import to_train_alike
from mnist_seq.runs.console import cell, near, say, say_command
from mnist_seq.runs.events import value_text
from mnist_seq.runs.text import duration
from mnist_seq.sweep.command import SweepCommand
from mnist_seq.sweep.pool.failures import reason
from mnist_seq.sweep.pool.pool import log_path
from mnist_seq.sweep.search.trials import Trials

RESULTS = "optimization_results.yaml"  # the name that Hydra's own Optuna sweeper gives it
NUM_SHOWN = 10  # best trials in the table
_NONE = "\N{EN DASH}"  # of a key that a trial lacks


def show_answer(
    study: Any, trials: Trials, command: SweepCommand, *, seconds: float, stop_reason: str
) -> None:
    """Print what came of a search, and write it to optimization_results.yaml."""
    console, folder = command.console, command.folder.path
    objective = trials.settings.objective
    known = study.get_trials(deepcopy=False)
    complete = [t for t in known if t.state.name == "COMPLETE"]
    sign = -1 if trials.settings.direction == "maximize" else 1
    complete.sort(key=lambda t: (sign * t.value, t.number))
    _show_best(complete[:NUM_SHOWN], trials, console)
    failed = [run for run in trials.runs.values() if run.folder.state() == "failed"]
    for run in failed:
        say(
            console,
            f"FAILED {run.name}: {reason(run.folder)}\n    {near(log_path(run.folder.path))}",
        )
    for trial in known:
        if trial.state.name == "FAIL" and "folder" not in trial.user_attrs:
            say(console, f"FAILED trial {trial.number}: {trial.user_attrs.get('reason', 'killed')}")
    counts = Counter(t.state.name.lower() for t in known)
    told = ", ".join(
        f"{counts[s]} {s}" for s in ("complete", "pruned", "fail", "running") if counts[s]
    )
    say(console, f"{told or 'no trials'}; {duration(seconds)}; {near(folder)}")
    if stop_reason:
        say(console, f"stopped: {stop_reason.removeprefix('interrupted by ')}")
    values: dict[str, Any] = {
        "name": "optuna",
        "objective": trials.settings.objective,
        "direction": trials.settings.direction,
        "trials": {state: counts[state] for state in sorted(counts)},
    }
    if complete:
        values |= _best(complete[0], trials, command)
        reached = value_text(objective, complete[0].value)
        where = near(folder / values["folder"])
        say(console, f"best: trial {complete[0].number}, {objective} {reached}, {where}")
        say_command(console, "its command:", values["command"])
    files.write_text(folder / RESULTS, OmegaConf.to_yaml(OmegaConf.create(values)))
    done = counts["complete"] + counts["pruned"]
    if stop_reason or counts["running"] or (counts["fail"] and done < trials.settings.n_trials):
        say_command(console, "to go on:", command.again)


def _best(trial: Any, trials: Trials, command: SweepCommand) -> dict[str, Any]:
    words = list(trials.space.words(trial.params))
    asked = OmegaConf.to_container(command.master.hydra, resolve=False)
    assert isinstance(asked, dict)
    return {
        "best_trial": trial.number,
        "best_value": trial.value,
        "best_params": dict(trial.params),
        "folder": trial.user_attrs["folder"],
        "overrides": words,
        "command": to_train_alike(words, {str(k): v for k, v in asked.items()}),
    }


def _show_best(complete: list[Any], trials: Trials, console: Console) -> None:
    """Print the best trials: a table, or a line for each where a table does not fit."""
    if not complete:
        return
    objective, keys = trials.settings.objective, list(trials.space.distributions)
    last = [key.rpartition(".")[2] for key in keys]
    rows = [
        (
            str(t.number),
            value_text(objective, t.value),
            *(_shown(t.params.get(key, _NONE)) for key in keys),
        )
        for t in complete
    ]
    for names in (keys, last if len(set(last)) == len(last) else keys):
        head = ("trial", objective, *names)
        widths = [max(map(cell_len, column)) for column in zip(head, *rows, strict=True)]
        if sum(widths) + 2 * (len(widths) - 1) <= console.width:
            table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
            for name in head:
                table.add_column(cell(name), justify="right", no_wrap=True)
            for row in rows:
                table.add_row(*map(cell, row))
            console.print(table)
            return
    for number, value, *params in rows:
        shown = zip(last, params, strict=True)
        pairs = [f"{key}={text}" for key, text in shown if text != _NONE]
        say(console, f"trial {number}: {objective} {value}; {', '.join(pairs)}")


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
