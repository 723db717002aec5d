"""Repeats published numbers: `python -m mnist_seq.reproduce parity seeds=5`, or `list`."""

from mnist_seq.runs import stop_signals

stop_signals.while_importing(__name__, script="mnist-seq-reproduce")

import functools
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from omegaconf import DictConfig

from mnist_seq import command
from mnist_seq.config.errors import ConfigError, refuse, said
from mnist_seq.config.paths import conf_dir
from mnist_seq.config.words import CONFIG_FLAGS, key_of
from mnist_seq.runs.commands import quoted

if TYPE_CHECKING:
    from rich.console import Console

    from mnist_seq.config import Config
    from mnist_seq.published.rows import Row
    from mnist_seq.published.stored import Stored

LIST, ALL, STORE = "list", "all", "store"  # names of no experiment
_OWN = ("names", "seeds", "sweep", "out", "train")
_CHOSEN = ("sweep.name", "sweep.until", "seed", "experiment", "hydra.sweep.dir", "hydra.run.dir")
_WITH_A_VALUE = ("--cfg", "-c", "--package", "-p")
_PLACES = ("data.root", "data.path")
_MOST_SEEDS = 1000


def run(values: Mapping[str, Any], console: "Console") -> bool:
    """List published numbers, train and judge some, or store what runs measured.

    Args:
        values: the keys of `conf/reproduce.yaml`.

    Returns:
        Whether all runs have ended.

    Raises:
        ValueError: a key or a name is wrong, or a stored result is damaged.
    """
    from mnist_seq.published import stored, words
    from mnist_seq.published.rows import chosen, rows
    from mnist_seq.published.table import verdicts
    from mnist_seq.published.terminal import show
    from mnist_seq.runs.console import say

    names, seeds, out, train = _checked(values)
    known = rows()
    if STORE in names:
        _store(values, known, console)
        return True
    asked = [name for name in names if name not in (LIST, ALL)]
    picked = chosen(asked, known) if asked else known
    if LIST in names or not names:
        results = stored.read_all()
        show(verdicts(picked, results), console)
        say(console, words.times([results[row.id] for row in picked if row.id in results]))
        return True
    return _reproduce(picked, known, seeds, out, train, console)


def _store(values: Mapping[str, Any], among: Sequence["Row"], console: "Console") -> None:
    """Store what the runs of a sweep measured beside experiments of the user's own."""
    from mnist_seq.published.curve import FEWEST_SEEDS
    from mnist_seq.published.keeping import keep, own_results
    from mnist_seq.runs.console import near, say
    from mnist_seq.runs.sweep_folder import expanded, no_folder

    names, sweep = values["names"], values["sweep"]
    if len(names) != 2 or names[0] != STORE or sweep == "none":
        line = "python -m mnist_seq.reproduce store <name> sweep=<folder>"
        raise ConfigError(f"store takes a name and the folder of its runs: {line}")
    folder = expanded(sweep)
    if not folder.is_dir():
        raise ConfigError(no_folder(folder))
    kept, left = keep(names[1], folder, own_results(), among, list(_overrides(values["train"])))
    for text in left:
        say(console, text)
    for path, found in kept:
        used = "runs of its config are compared with it"
        if found.curve.n < FEWEST_SEEDS:
            used = f"with {FEWEST_SEEDS} seeds or more, runs are compared with it"
        say(console, f"stored: {near(path)}, n={found.curve.n}; {used}")


def _reproduce(
    rows: Sequence["Row"],
    among: Sequence["Row"],
    seeds: int,
    out: Path,
    train: Sequence[str],
    console: "Console",
) -> bool:
    """Train and judge rows, one after the other, and write the table of all that have been."""
    from mnist_seq.config import plain
    from mnist_seq.published import stored, words
    from mnist_seq.published.table import verdicts
    from mnist_seq.published.terminal import show
    from mnist_seq.report.render import published_files
    from mnist_seq.runs.console import near, say
    from mnist_seq.runs.sweep_folder import check_writable

    check_writable(out)
    ours, failed = stored.read_all(), set()
    for row in rows:
        say(console, words.announced(row, ours.get(row.id), seeds))
        try:
            found = _trained(row, seeds, train)
        except (ValueError, OSError) as error:  # the others go on
            say(console, f"{row.id}: {said(error)}")
            found = None
        if found:
            stored.write(found, out)
            say(console, words.judged(row, found, ours.get(row.id)))
        else:
            failed.add(row.id)
    known = {row.id: row for row in among if row.id not in failed}
    done = {
        name: found
        for name, found in stored.read_all(out).items()
        if name in known and found.variant == stored.variant_of(plain(_config_of(known[name])))
    }
    picked = {row.id for row in rows}
    table = verdicts([row for row in among if row.id in picked or row.id in done], done)
    show(table, console)
    for path in published_files.write(table, out):
        say(console, f"written: {near(path)}")
    return not failed


def _trained(row: "Row", seeds: int, train: Sequence[str]) -> "Stored | None":
    """The runs of a row, trained by the train command where they are missing; None if it fails.

    Raises:
        ConfigError: other data would stand in for the published ones, the runs are others, or
            another command trains them.
        ValueError: the data cannot be found.
    """
    from mnist_seq.config import plain
    from mnist_seq.published import measured, stored
    from mnist_seq.runs import lock
    from mnist_seq.runs.sweep_folder import SWEEPS
    from mnist_seq.training.preflight.find import find_data

    config, located = find_data(_config_of(row, train))
    if located.name != located.requested:
        raise ConfigError(
            f"what is published is of {located.requested}, which is not found, and {located.name} "
            f"is no stand-in for it: data.root={config.data.root}; put its files there, or name "
            "the folder that has them"
        )
    name = f"reproduce-{row.id}"
    if at_work := lock.holder(SWEEPS / name):
        raise ConfigError(
            f"a sweep takes one command at a time: {SWEEPS / name} is being worked on by "
            f"{at_work}; wait for it, or stop it; the same command then goes on, and judges"
        )
    asked = [*row.words, f"seed=range({seeds})", f"sweep.name={name}", "sweep.baseline=none"]
    line = [sys.executable, "-m", "mnist_seq.train", "-m", *train, *asked]
    env = dict(os.environ)
    if not command.IS_DEBUG:  # of this command, not of the user's: errors would be tracebacks
        env.pop("HYDRA_FULL_ERROR", None)
    code = stop_signals.passed_on_to(line, env)
    variant = stored.variant_of(plain(config))
    return None if code else measured.from_folder(SWEEPS / name, row, variant)


def _config_of(row: "Row", train: Sequence[str] = ()) -> "Config":
    """The config of a row's runs, with the place of the data that the command names."""
    from mnist_seq.notebook import compose

    places = [command.quoted(word, _PLACES) for word in train if key_of(word) in _PLACES]
    return compose(*row.words, *places)


def _checked(values: Mapping[str, Any]) -> tuple[list[str], int, Path, list[str]]:
    """Names, seeds, folder and further words.

    Raises:
        ConfigError: a wrong type or an impossible value.
    """
    from mnist_seq.runs.sweep_folder import expanded

    for key in ("names", "train"):
        given = values[key]
        if not isinstance(given, list) or not all(isinstance(word, str) for word in given):
            raise ConfigError(f"{key} must be a list of words: {key}={given}; write {key}=[a,b]")
    seeds, out = values["seeds"], values["out"]
    if type(seeds) is not int or not 1 <= seeds <= _MOST_SEEDS:
        raise ConfigError(f"seeds must be a whole number, 1 to {_MOST_SEEDS}: seeds={seeds}")
    for key, example in (("out", "outputs/reproduced"), ("sweep", "outputs/sweeps/<name>")):
        if not isinstance(values[key], str) or not values[key]:
            raise ConfigError(f"{key} must be a folder: {key}={values[key]}; write {key}={example}")
    if STORE not in values["names"]:
        if values["sweep"] != "none":
            raise ConfigError(f"sweep is of store alone: sweep={values['sweep']}; leave it out")
        _check_train(values["train"], values["names"])
    return values["names"], seeds, expanded(out), values["train"]


def _overrides(words: Sequence[str]) -> Iterator[str]:
    """Words of a command without the flags that say where configs come from."""
    for before, word in pairwise(["", *words]):
        if before not in CONFIG_FLAGS and key_of(word) not in CONFIG_FLAGS:
            yield word


def _check_train(train: Sequence[str], names: Sequence[str]) -> None:
    """Refuse words with which something else would be trained than what is published."""
    from mnist_seq.config.messages import suggestion
    from mnist_seq.published.rows import is_aside

    for word in _overrides(train):
        key = key_of(word)
        if not is_aside(key):
            own = {name.partition(".")[0] for name in names} - {LIST, ALL} or {"<name>"}
            line = f"python -m mnist_seq.train experiment={min(own)} {word}"
            near = suggestion(key, _OWN[:4]) or f"; train it with {line}"
            raise ConfigError(
                f"what is published says what is trained, and {word} changes it{near}"
            )
        if key in _CHOSEN:
            raise ConfigError(
                f"reproduce chooses {key} itself: {word}; seeds=5 says how many seeds, and names "
                "such as parity.lstm say of which numbers"
            )


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="reproduce")
def _job(cfg: DictConfig) -> None:
    with command.errors_said():
        is_done = _reproduced(cfg)
    if not is_done:
        raise SystemExit(1)


def _reproduced(cfg: DictConfig) -> bool:
    from hydra.core.hydra_config import HydraConfig

    from mnist_seq.config.members import use_folders_of
    from mnist_seq.runs.console import QuietConsole

    use_folders_of(HydraConfig.instance().cfg)
    return run(command.values_of("reproduce", cfg, {}), QuietConsole())


def main() -> None:
    """Console entry: Hydra's command line, its errors in one line each."""
    stop_signals.guarded(_main, line="; the same command goes on")


def _main() -> None:
    if {"-m", "--multirun"} & set(sys.argv[1:]):
        refuse("reproduce makes its sweeps itself; leave out -m")
    sys.argv[1:] = as_keys(sys.argv[1:])
    command.run(_job, functools.partial(command.one_line, "reproduce"), config_name="reproduce")


def as_keys(words: Sequence[str]) -> list[str]:
    """The words of a command line in Hydra's form: bare names and foreign words are lists.

    Flags stay, and those that say where configs come from go to the train command too.
    """
    kept: list[str] = []
    flags: list[str] = []
    names: list[str] = []
    train: list[str] = []
    for before, word in pairwise(["", *words]):
        is_value = before in (*CONFIG_FLAGS, *_WITH_A_VALUE)
        if is_value or word.startswith("-"):
            flags.append(word)
            if (before if is_value else word.partition("=")[0]) in CONFIG_FLAGS:
                train.append(word)
        elif "=" not in word:
            names.append(word)
        elif key_of(word) in _OWN:
            kept.append(command.quoted(word, ["sweep", "out"]))
        else:
            train.append(word)
    for key, given in (("names", names), ("train", train)):
        if given:
            kept.append(f"{key}=[{','.join(map(quoted, given))}]")
    return [*kept, *flags]


if __name__ == "__main__":
    main()
