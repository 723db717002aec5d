"""What a search ends with: its best trial, as a table, a file and a command."""

from collections import Counter
from typing import Any

from omegaconf import OmegaConf
from rich.table import Table

from mnist_seq.runs import files
from mnist_seq.runs.commands import to_train_alike
from mnist_seq.runs.console import cell, say
from mnist_seq.runs.events import value_text
from mnist_seq.sweep.command import SweepCommand
from mnist_seq.sweep.pool.failures import reason
from mnist_seq.sweep.pool.pool import log_path
from mnist_seq.sweep.search.trials import Trials
from mnist_seq.sweep.times import duration

RESULTS = "optimization_results.yaml"  # the name that Hydra's own Optuna sweeper gives it
NUM_SHOWN = 10  # best trials in the table


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
    console.print(_table(complete[:NUM_SHOWN], trials))
    failed = [run for run in trials.runs.values() if run.folder.state() == "failed"]
    for run in failed:
        say(console, f"FAILED {run.name}: {reason(run.folder)}\n    {log_path(run.folder.path)}")
    for trial in known:
        if trial.state.name == "FAIL" and "folder" not in trial.user_attrs:
            say(console, f"FAILED trial {trial.number}: {trial.user_attrs.get('reason', 'killed')}")
    counts = Counter(t.state.name.lower() for t in known)
    told = ", ".join(
        f"{counts[s]} {s}" for s in ("complete", "pruned", "fail", "running") if counts[s]
    )
    say(console, f"{told or 'no trials'}; {duration(seconds)}; {folder}")
    if stop_reason:
        say(console, f"stopped: {stop_reason}")
    values: dict[str, Any] = {
        "name": "optuna",
        "objective": trials.settings.objective,
        "direction": trials.settings.direction,
        "trials": {state: counts[state] for state in sorted(counts)},
    }
    if complete:
        values |= _best(complete[0], trials, command)
        say(console, f"best: trial {complete[0].number}, {objective} "
            f"{value_text(objective, complete[0].value)}, {folder / values['folder']}")  # fmt: skip
        say(console, f"its command: {values['command']}")
    files.write_text(folder / RESULTS, OmegaConf.to_yaml(OmegaConf.create(values)))
    done = counts["complete"] + counts["pruned"]
    if stop_reason or counts["running"] or (counts["fail"] and done < trials.settings.n_trials):
        say(console, f"to go on: {command.again}")


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


def _table(complete: list[Any], trials: Trials) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("trial", justify="right")
    table.add_column(trials.settings.objective, justify="right")
    for key in trials.space.distributions:
        table.add_column(key, justify="right", overflow="fold")
    for trial in complete:
        params = (trial.params[key] for key in trials.space.distributions)
        shown = (f"{p:.4g}" if isinstance(p, float) else str(p) for p in params)
        value = value_text(trials.settings.objective, trial.value)
        table.add_row(str(trial.number), value, *map(cell, shown))
    return table
