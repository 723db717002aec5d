"""Shows how far a sweep is: `python -m mnist_seq.status sweep=outputs/sweeps/<name>`."""

from mnist_seq.runs import stop_signals

stop_signals.while_importing(__name__, script="mnist-seq-status")

import functools
import math
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import hydra
from omegaconf import DictConfig

from mnist_seq import command
from mnist_seq.config.errors import ConfigError, refuse
from mnist_seq.config.paths import conf_dir

if TYPE_CHECKING:
    from rich.console import Console

    from mnist_seq.sweep.progress import Seen

# in the order in which they are shown; what is finished is only counted
_STATES = {"at work": "at work", "queued": "in the queue", "failed": "failed",
           "interrupted": "interrupted", "diverged": "diverged", "not begun": "not begun",
           "finished": "finished"}  # fmt: skip


def run(values: Mapping[str, Any], console: "Console") -> None:
    """Show the state of a sweep once, or again and again.

    Args:
        values: the keys of `conf/status.yaml`.

    Raises:
        ConfigError: a key is wrong, or the folder holds no sweep.
    """
    from mnist_seq.runs.sweep_folder import SweepFolder, expanded, no_folder
    from mnist_seq.sweep.progress import look

    every, most = _checked(values)
    sweep = values["sweep"]
    if not isinstance(sweep, str) or not sweep:
        raise ConfigError(
            f"sweep must be one folder: sweep={sweep}; write sweep=outputs/sweeps/<name>"
        )
    path = expanded(sweep)
    if not path.is_dir():
        raise ConfigError(no_folder(path))
    folder = SweepFolder(path)
    if not folder.ledger_path.exists():
        raise ConfigError(
            f"a sweep's folder has a ledger.jsonl, and {path} has none; a sweep is what "
            "python -m mnist_seq.train -m makes"
        )
    if not values["watch"]:
        show(look(folder), console, most=most)
        return
    _watch(folder, console, every=every, most=most)


def _watch(folder: Any, console: "Console", *, every: float, most: int) -> None:
    from mnist_seq.runs.console import say
    from mnist_seq.sweep.progress import look

    said = ""
    while True:
        seen = look(folder)
        is_over = not seen.is_alive
        if console.is_terminal:
            console.clear()
            show(seen, console, most=most)
        elif (line := counts(seen)) != said:  # a log gets a line for each change
            said = line
            say(console, line)
        if is_over:
            if not console.is_terminal:
                show(seen, console, most=most)
            return
        time.sleep(every)


def show(seen: "Seen", console: "Console", *, most: int) -> None:
    """Print the state of a sweep.

    Args:
        most: runs that are named, of each state.
    """
    from rich.table import Table

    from mnist_seq.runs.commands import read_asked, to_repeat_sweep
    from mnist_seq.runs.console import cell, near, say, say_command

    say(console, f"sweep {near(seen.folder.path)}")
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(2):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for state, words in _STATES.items():
        of_state = [run for run in seen.runs if run.state == state]
        if state in ("finished", "not begun"):
            continue
        for each in of_state[:most]:
            table.add_row(*map(cell, (words, each.name, each.words)))
        if len(of_state) > most:
            table.add_row(words, f"and {len(of_state) - most:,} more", "")
    if table.row_count:
        console.print(table)
    say(console, counts(seen))
    say(console, _of_command(seen))
    is_done = all(each.state in ("finished", "diverged") for each in seen.runs)
    if not is_done and not seen.command:
        asked = read_asked(seen.folder.config_path)
        if again := to_repeat_sweep(seen.folder.path, {}, asked=asked):
            say_command(console, "to go on:", again)


def counts(seen: "Seen") -> str:
    """One line: how many runs are in each state."""
    from mnist_seq.runs.text import plural

    num: Counter[str] = Counter(run.state for run in seen.runs)
    parts = [f"{num[state]:,} {words}" for state, words in reversed(_STATES.items()) if num[state]]
    return f"{plural(len(seen.runs), 'run')}: {', '.join(parts)}" if parts else "no runs"


def _of_command(seen: "Seen") -> str:
    if seen.command:
        return f"its command is at work: {seen.command}"
    if seen.is_alive:
        return "no command is at work; its jobs are, and the same command collects them"
    return "nothing is at work"


def _checked(values: Mapping[str, Any]) -> tuple[float, int]:
    """`every` and `most`.

    Raises:
        ConfigError: a wrong type or an impossible value.
    """
    if not isinstance(values["watch"], bool):
        raise ConfigError(f"watch must be true or false: watch={values['watch']}")
    every, most = values["every"], values["most"]
    is_number = isinstance(every, int | float) and not isinstance(every, bool)
    if not is_number or not 1 <= every < math.inf:
        raise ConfigError(f"every must be a number of seconds, 1 or more: every={every}")
    if type(most) is not int or most < 1:
        raise ConfigError(f"most must be a whole number, 1 or more: most={most}")
    return float(every), most


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="status")
def _job(cfg: DictConfig) -> None:
    with command.errors_said():
        _status(cfg)


def _status(cfg: DictConfig) -> None:
    from mnist_seq.runs.console import QuietConsole

    values = command.values_of("status", cfg, {"sweep": "outputs/sweeps/<name>"})
    run(values, QuietConsole())


def main() -> None:
    """Console entry: Hydra's command line, its errors in one line each."""
    stop_signals.guarded(_main, line="; the sweep goes on")


def _main() -> None:
    words: Sequence[str] = sys.argv[1:]
    if {"-m", "--multirun"} & set(words):
        refuse("a status is of one sweep; leave out -m")
    command.check_folders(words)
    sys.argv[1:] = [command.quoted(word, ["sweep"]) for word in words]
    command.run(_job, functools.partial(command.one_line, "status"), config_name="status")


if __name__ == "__main__":
    main()
