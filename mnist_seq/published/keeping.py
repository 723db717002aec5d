"""Stores what runs measured: of a published number, or as a learning curve of one's own.

A lab's own results lie in `results/` of its `--config-dir`, beside its experiments.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mnist_seq.config.errors import ConfigError
from mnist_seq.config.members import folders
from mnist_seq.config.words import key_of
from mnist_seq.published.measured import check_ended, from_folder, from_runs, runs_below
from mnist_seq.published.rows import GROUP, Row, chosen, holds, is_aside
from mnist_seq.published.stored import RESULTS, Stored, variant_of, write
from mnist_seq.runs.text import shell_word

_NAME = re.compile(r"[A-Za-z][\w-]{0,59}\.[A-Za-z][\w-]{0,59}", re.ASCII)


@dataclass(frozen=True)
class Own:
    """A learning curve of which nothing is published; see `measured.Subject`."""

    experiment: str
    name: str
    metric: str
    words: tuple[str, ...]

    @property
    def id(self) -> str:
        """The name of its file."""
        return f"{self.experiment}.{self.name}"


def own_results() -> Path:
    """Where results of one's own are stored: `results/` of the first `--config-dir`.

    Raises:
        ConfigError: there is none.
    """
    if not folders():
        raise ConfigError(
            "store writes into results/ beside experiments of your own, and there is no folder of "
            "them: add --config-dir=<folder>"
        )
    return folders()[0] / RESULTS


def keep(
    name: str, folder: Path, into: Path, among: Sequence[Row], words: Sequence[str] = ()
) -> tuple[list[tuple[Path, Stored]], list[str]]:
    """Store what runs at or below a folder measured.

    Args:
        name: a published number (rows.lstm), an experiment (rows: each number that the folder has
            runs of), or a new name of two parts, for runs of which nothing is published.
        into: folder of the results.
        among: the published numbers.
        words: of a new name, what its runs have: model=gru.

    Returns:
        What is stored, and why numbers of an experiment are not.

    Raises:
        ConfigError: nothing can be stored; says why.
    """
    if name.partition(".")[0] not in {row.experiment for row in among}:
        found = _own(name, folder, words)
        return [(write(found, into), found)], []
    if words:
        raise ConfigError(f"a published number says which runs it takes: {words[0]}; leave it out")
    kept, left = [], []
    for row in chosen([name], among):
        try:
            found = from_folder(folder, row)
        except ConfigError as error:
            left.append(str(error))
            continue
        kept.append((write(found, into), found))
    if not kept:
        raise ConfigError(left[0])
    return kept, left


def _own(name: str, folder: Path, words: Sequence[str]) -> Stored:
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"a result of your own has a name of two parts, of letters, digits and _ -: {name}; "
            "write one such as lab.lstm"
        )
    found = [
        run
        for run in runs_below(folder)
        if all(holds(run.record()["config"], word) for word in words)
    ]
    if not found:
        with_ = f" with {' '.join(words)}" if words else ""
        raise ConfigError(f"no run{with_} is in {folder}; name the folder of a sweep")
    variants = {variant_of(run.record()["config"]): run.path.name for run in found}
    if len(variants) > 1:
        raise ConfigError(
            f"a stored result is of one variant, and {folder} has {len(variants)}, such as "
            f"{' and '.join(sorted(variants.values())[:2])}; add what the one has, such as "
            "model=lstm model.hidden=64"
        )
    check_ended(found, name, folder)
    overrides = found[0].record().get("overrides") or ()
    kept = (str(w) for w in overrides if not is_aside(key_of(str(w))) or key_of(str(w)) == GROUP)
    experiment, _, last = name.partition(".")
    metric = f"test/{found[0].judged()['main']}"
    return from_runs(found, Own(experiment, last, metric, tuple(map(shell_word, kept))))
