"""The command that trained a sweep, as its folder records it."""

from pathlib import Path

from mnist_seq.config.words import key_of
from mnist_seq.runs.commands import read_asked, unknown_word
from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.runs.text import shell_word

# What holds for one machine or one account, and moves no number
_OF_A_PLACE = ("data.root", "tracker", "sweep.dry_run", "sweep.stale", "sweep.retries",
               "sweep.timeout", "sweep.on_failure")  # fmt: skip
_OF_A_LAUNCH = ("hydra/launcher", "hydra.launcher", "hydra.sweep.dir", "hydra.mode")


def as_trained(sweep: Path) -> str:
    """The last command of a sweep, for its readers; "" where the folder does not tell all of it.

    Words that say where something lies, or how runs were launched, are left out. A command is
    pasted, so one with a word that is none of ours is not shown.
    """
    overrides = read_asked(SweepFolder(sweep).config_path).get("overrides")
    if not isinstance(overrides, dict):
        return ""
    kinds = [overrides.get(kind, []) for kind in ("hydra", "task")]
    if not all(isinstance(words, list) for words in kinds):
        return ""
    of_hydra, words = ([str(word) for word in kind] for kind in kinds)
    kept = [word for word in words if not key_of(word).startswith(_OF_A_PLACE)]
    is_whole = all(key_of(word).startswith(_OF_A_LAUNCH) for word in of_hydra)
    if not kept or not is_whole or unknown_word(kept) is not None:
        return ""
    return " ".join(["python -m mnist_seq.train -m", *map(shell_word, kept)])
