"""Builds every command that is printed, from what the user typed: each can be pasted into a shell.

The words of a command are overrides and flags, unquoted; they are quoted for the shell here alone.
"""

import re
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from mnist_seq.config.paths import conf_dir
from mnist_seq.config.text import reads_as_number
from mnist_seq.config.words import CONFIG_FLAGS, OF_A_SWEEP, key_of
from mnist_seq.runs.disk import limits, parsing
from mnist_seq.runs.sweep_folder import SWEEPS
from mnist_seq.runs.text import shell_word

# Words of a record that may stand in a pasted command: numbers and names of a launcher, but none
# that a machine would run
_OF_A_LAUNCHER = re.compile(
    r"\+{0,2}hydra(?:/launcher=\w+"
    r"|\.launcher(?:\.(?!python|slurm_python|slurm_setup|slurm_teardown)[a-z]\w*)+=\w[\w.:-]*)"
)
_KEYWORDS = ("null", "true", "false", "nan", "inf")


def to_continue(key: str, value: str) -> str:
    """The command that was typed, to type again: it goes on with the same folder.

    Args:
        key: that names the folder, `sweep.name` or `hydra.run.dir`; kept where it was typed.
        value: of the key.
    """
    return _command("train", _named(_typed(), key, value))


def to_train_on(run: str, epochs: int) -> str:
    """The typed command for further epochs of a run's weights, in a folder beside that run's."""
    new = [f"training.epochs={epochs}", override("training.init_from", run)]
    new.append(override("hydra.run.dir", f"{run}-on"))
    words = [word for word in _typed() if key_of(word) not in map(key_of, new)]
    end = _end_of_overrides(words)
    return _command("train", [*words[:end], *new, *words[end:]])


def to_continue_sweep(name: str, folder: Path, *, asked: Mapping[str, Any] | None = None) -> str:
    """The command that goes on with a sweep.

    Args:
        folder: of the sweep.
        asked: Hydra's node of the sweep's config; None in the process of the command itself, where
            the command is taken as it was typed.
    """
    words = _typed() if asked is None else ["-m", *_flags(asked), *_words(asked)]
    is_placed = any(key_of(word) == "hydra.sweep.dir" for word in words)
    if not is_placed:
        words = _named(words, "sweep.name", name)
    if is_placed or folder.resolve() != (SWEEPS / name).resolve():
        words = _named(words, "hydra.sweep.dir", str(folder))
    return _command("train", words)


def to_repeat_sweep(folder: Path, changes: Mapping[str, str], *, asked: Mapping[str, Any]) -> str:
    """The command of a recorded sweep with other values; "" where a part of it is none of ours.

    Args:
        folder: of the sweep.
        changes: values by their keys. With another `sweep.name` it is a sweep beside this one.
        asked: Hydra's node of the sweep's config.
    """
    words = _words(asked, kind="task")
    if not words or unknown_word(words) or not _are_flags_of_here(asked, folder / "run"):
        return ""
    launcher = [word for word in _words(asked, kind="hydra") if _OF_A_LAUNCHER.fullmatch(word)]
    kept = [word if (key := key_of(word)) not in changes else f"{key}={changes[key]}"
            for word in words if key_of(word) != "sweep.name"]  # fmt: skip
    there = {key_of(word) for word in words}
    new = [f"{key}={value}" for key, value in changes.items() if key not in there]
    kept += [word for word in new if key_of(word) != "sweep.name"]
    name = changes.get("sweep.name", folder.name)
    kept.append(override("sweep.name", name))
    if (place := folder.parent / name).resolve() != (SWEEPS / name).resolve():
        kept.append(override("hydra.sweep.dir", str(place)))
    return _command("train", ["-m", *_flags(asked), *launcher, *kept])


def to_add(overrides: Sequence[str], run: Path, *, is_search: bool) -> str:
    """The command that trains further runs as a recorded one was trained, as a sweep.

    Args:
        overrides: of the runs.
        run: folder of the recorded run.
        is_search: whether that run is a trial; the further ones are a grid.
    """
    asked = read_asked(run / ".hydra" / "hydra.yaml")
    kept = [w for w in _words(asked, kind="hydra") if _OF_A_LAUNCHER.fullmatch(w)]
    if is_search:
        kept.append("hydra/sweeper=mnist_seq")  # a YAML may have chosen the search
    if _at(asked, "sweeper", "params"):  # of a YAML; those of the recorded run are in `overrides`
        kept.append("hydra.sweeper.params=null")
    flags = _flags(asked) if _are_flags_of_here(asked, run) else []
    return _command("train", ["-m", *flags, *kept, *overrides])


def _are_flags_of_here(asked: Mapping[str, Any], run: Path) -> bool:
    """Whether recorded configs may be named in a command that a user pastes.

    A record is a text of others, and a config can name functions to call: so each folder must be
    one of the working directory, and none that came with the sweep.
    """
    here, sweep = Path.cwd().resolve(), run.resolve().parent
    for source in _list(asked, "runtime", "config_sources"):
        path = Path(str(_at(source, "path"))).resolve()
        if _at(source, "provider") in ("main", "command-line") and path != conf_dir().resolve():
            is_here = path.is_relative_to(here) and not path.is_relative_to(sweep)
            if not is_here or not path.is_dir():
                return False
    return bool(re.fullmatch(r"\w[\w-]*", str(_at(asked, "job", "config_name") or "train")))


def named_by(words: Sequence[str], naming: Collection[str]) -> list[str]:
    """The overrides of a sweep whose runs are named by some of them, though each has one value.

    The folder of the runs may hold others that differ in nothing else but these.

    Args:
        naming: those that name; written as choices.
    """
    chosen = [key_of(word) for word in naming]
    found = []
    for word in words:
        key, _, value = word.partition("=")
        if word in naming and "(" not in value:
            word = f"{key}=choice({value})"
        elif key.startswith(tuple(f"{group}." for group in chosen)):
            word = f"++{word}"  # Hydra reads it with the default of the group first
        found.append(word)
    return found


def to_train_alike(overrides: Sequence[str], asked: Mapping[str, Any]) -> str:
    """The command that trains one run, over the configs of a sweep and with its Hydra.

    Args:
        overrides: of the run.
        asked: Hydra's node of the sweep's config.
    """
    of_hydra = [word for word in _words(asked, kind="hydra") if _is_of_a_run(word)]
    return _command("train", [*_flags(asked), *of_hydra, *overrides])


def to_compare(folder: Path, *, where: str = "all") -> str:
    """The command that compares the runs of a sweep's folder. It reads nothing else.

    Args:
        where: filter of the runs.
    """
    filters = [] if where == "all" else [f"where={where}"]
    return _command("compare", [f"sweep={folder}", *filters])


def to_look(folder: Path) -> str:
    """The command that shows how far a sweep is."""
    return _command("status", [f"sweep={folder}"])


def to_sync(folder: Path) -> str:
    """The command that brings the runs of a folder to W&B. It reads nothing else."""
    return _command("sync", [f"sweep={folder}"])


def read_asked(path: Path) -> dict[str, Any]:
    """Hydra's node from a recorded config; {} where there is none that can be read.

    Args:
        path: `.hydra/hydra.yaml` of a run, or `multirun.yaml` of a sweep.
    """
    try:
        values = parsing.from_yaml(limits.read_bytes(path))
    except (OSError, ValueError):
        return {}
    node = values.get("hydra") if isinstance(values, Mapping) else None
    return {str(k): v for k, v in node.items()} if isinstance(node, Mapping) else {}


def _typed() -> list[str]:
    return sys.argv[1:]


def _named(words: Sequence[str], key: str, value: str) -> list[str]:
    """The words with a key that names a folder.

    A value that was typed stays, unless it has an interpolation: the clock would give another one.
    """
    word = override(key, value)
    if any(key_of(given) == key for given in words):
        return [word if key_of(w) == key and "${" in w else w for w in words]
    end = _end_of_overrides(words)
    return [*words[:end], word, *words[end:]]


def _end_of_overrides(words: Sequence[str]) -> int:
    """Where a further override can stand: Hydra's parser takes them in one piece, between flags."""
    end = len(words)
    for i, (before, word) in enumerate(pairwise(["", *words])):
        is_override = not word.startswith("-") and before not in CONFIG_FLAGS
        if is_override and ("=" in word or word.startswith("~")):
            end = i + 1
    return end


def _flags(asked: Mapping[str, Any]) -> list[str]:
    """Hydra's flags that say where a config comes from."""
    flags = []
    for source in _list(asked, "runtime", "config_sources"):
        provider, path = _at(source, "provider"), str(_at(source, "path"))
        if provider == "main" and path != str(conf_dir()):
            flags += ["--config-path", path]
        if provider == "command-line":
            flags += ["--config-dir", path]
    name = _at(asked, "job", "config_name") or "train"
    return flags if name == "train" else [*flags, "--config-name", str(name)]


def unknown_word(words: Iterable[str]) -> str | None:
    """The first of some overrides that a command must not be built of, or None.

    Overrides in a run folder are texts of others. In a command that a user pastes, a flag could
    bring configs from another folder, a key of Hydra could name a function to call, and a resolver
    could read the environment. So a word must set a key of a run or of a sweep.
    """
    return next((word for word in words if not _is_known(word)), None)


def _is_known(word: str) -> bool:
    from mnist_seq.config.paths import groups
    from mnist_seq.config.schema import Config

    found = re.fullmatch(r"(?:\+{0,2}|~)([a-z]\w*)((?:\.\w+)*)(=.*)?", word, re.ASCII | re.DOTALL)
    if found is None or (found[3] is None and not word.startswith("~")):
        return False
    is_ours = found[1] in Config.model_fields or (found[1] in groups() and not found[2])
    return is_ours and "_target_" not in word and not re.search(r"\$\{[^}]*:", word)


def _words(asked: Mapping[str, Any], *, kind: str = "") -> list[str]:
    """The overrides that were typed: Hydra's own, then the task's.

    Args:
        kind: "hydra" or "task" for those alone.
    """
    kinds = [kind] if kind else ["hydra", "task"]
    words = [str(word) for k in kinds for word in _list(asked, "overrides", k)]
    return [word for word in words if key_of(word) != "hydra.mode"]  # -m says it


def _is_of_a_run(word: str) -> bool:
    """Whether an override of Hydra's own keys acts on every run, wherever it is launched."""
    key = key_of(word)
    return not key.startswith(OF_A_SWEEP) and key not in ("hydra.mode", "hydra.run.dir")


def _list(values: Mapping[str, Any], *keys: str) -> list[Any]:
    found = _at(values, *keys)
    return found if isinstance(found, list) else []


def _at(values: Mapping[str, Any], *keys: str) -> Any:
    found: Any = values
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _command(name: str, words: Sequence[str]) -> str:
    """A command of ours, called as this one was: by its console script, or as a module."""
    is_script = Path(sys.argv[0]).name.startswith("mnist-seq")
    program = f"mnist-seq-{name}" if is_script else f"python -m mnist_seq.{name}"
    return " ".join([program, *map(shell_word, words)])


def quoted(value: str) -> str:
    """A text value in the quotes that Hydra's grammar needs."""
    # Backslashes count as escapes only where a quote follows
    escaped = re.sub(r"(\\*)('|$)", lambda m: m[1] * 2 + ("\\'" if m[2] else ""), value)
    return f"'{escaped}'"


def override(key: str, text: str) -> str:
    """`key=text`; the text in quotes where Hydra would read it as something else."""
    is_plain = re.fullmatch(r"[\w./+-]+", text, re.ASCII) and text.lower() not in _KEYWORDS
    return f"{key}={text if is_plain and not reads_as_number(text) else quoted(text)}"
