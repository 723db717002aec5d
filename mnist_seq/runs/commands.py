"""Builds every command that is printed, from what the user typed: each can be pasted into a shell.

The words of a command are overrides and flags, unquoted; they are quoted for the shell here alone.
"""

import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from mnist_seq.config.text import is_control, reads_as_number
from mnist_seq.config.words import key_of

_KEYWORDS = ("null", "true", "false", "nan", "inf")
# Hydra's flags that say where a config comes from; each takes a value
_CONFIG_FLAGS = ("--config-dir", "-cd", "--config-name", "-cn", "--config-path", "-cp")


def to_continue(key: str, value: str) -> str:
    """The command that was typed, to type again: it goes on with the same folder.

    Args:
        key: that names the folder, `sweep.name` or `hydra.run.dir`; kept where it was typed.
        value: of the key.
    """
    words = list(_typed())
    if not any(key_of(word) == key for word in words):
        words.insert(_end_of_overrides(words), override(key, value))
    return _command(_train_program(), words)


def to_continue_sweep(name: str) -> str:
    """The command that goes on with the sweep of this process."""
    if any(key_of(word) == "hydra.sweep.dir" for word in _typed()):
        return _command(_train_program(), _typed())
    return to_continue("sweep.name", name)


def to_train(overrides: Sequence[str], *, is_sweep: bool = False) -> str:
    """The command that trains a run, or a sweep, of some overrides and nothing else."""
    return _command("python -m mnist_seq.train", [*["-m"] * is_sweep, *overrides])


def to_train_alike(overrides: Sequence[str]) -> str:
    """The command that trains one run of some overrides, over the configs of the typed command."""
    return _command(_train_program(), [*_config_flags(_typed()), *overrides])


def to_compare(folder: Path, *, where: str = "all") -> str:
    """The command that compares the runs of a sweep's folder.

    Args:
        where: filter of the runs.
    """
    filters = [] if where == "all" else [f"where={where}"]
    return _command("python -m mnist_seq.compare", [f"sweep={folder}", *filters])


def to_sync(folder: Path) -> str:
    """The command that brings the runs of a folder to W&B."""
    return _command("python -m mnist_seq.sync", [f"sweep={folder}"])


def _typed() -> list[str]:
    return sys.argv[1:]


def _train_program() -> str:
    """The program as it was started: the console script, or the module."""
    program = Path(sys.argv[0]).name
    return program if program.startswith("mnist-seq") else "python -m mnist_seq.train"


def _end_of_overrides(words: Sequence[str]) -> int:
    """Where a further override can stand: Hydra's parser takes them in one piece, between flags."""
    end = len(words)
    for i, (before, word) in enumerate(pairwise(["", *words])):
        is_override = not word.startswith("-") and before not in _CONFIG_FLAGS
        if is_override and ("=" in word or word.startswith("~")):
            end = i + 1
    return end


def _config_flags(words: Sequence[str]) -> Iterator[str]:
    for word, following in pairwise([*words, ""]):
        if word in _CONFIG_FLAGS:
            yield from (word, following)
        elif word.startswith(tuple(f"{flag}=" for flag in _CONFIG_FLAGS)):
            yield word


def _command(program: str, words: Sequence[str]) -> str:
    return " ".join([program, *map(shell_word, words)])


def shell_word(word: str) -> str:
    """A word in the quotes that a shell needs; what a terminal would obey stands as an escape."""
    if not any(map(is_control, word)):
        return shlex.quote(word)
    letters = word.replace("\\", "\\\\").replace("'", "\\'")
    escaped = "".join(_octal(c) if is_control(c) else c for c in letters)
    return f"$'{escaped}'"


def _octal(character: str) -> str:
    """The bytes of a character as bash, zsh and POSIX (2024) read them between $' and '."""
    return "".join(f"\\{byte:03o}" for byte in os.fsencode(character))


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


def quoted(value: str) -> str:
    """A text value in the quotes that Hydra's grammar needs."""
    # Backslashes count as escapes only where a quote follows
    escaped = re.sub(r"(\\*)('|$)", lambda m: m[1] * 2 + ("\\'" if m[2] else ""), value)
    return f"'{escaped}'"


def override(key: str, text: str) -> str:
    """`key=text`; the text in quotes where Hydra would read it as something else."""
    is_plain = re.fullmatch(r"[\w./+-]+", text, re.ASCII) and text.lower() not in _KEYWORDS
    return f"{key}={text if is_plain and not reads_as_number(text) else quoted(text)}"
