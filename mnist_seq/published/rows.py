"""Finds published numbers in experiment files, and the runs that repeat one."""

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist_seq.config.errors import ConfigError
from mnist_seq.config.identity import NOT_OF_A_RESULT
from mnist_seq.config.members import folders, shipped
from mnist_seq.config.schema.expects import KEY, Expected, expected
from mnist_seq.config.words import key_of
from mnist_seq.runs.variants import typed

GROUP = "experiment"
# Words of a run's command that leave its numbers what they are; the device rounds them otherwise
_ASIDE = (*NOT_OF_A_RESULT, "seed", "device", "hydra", GROUP)
_COUNTS = ("training.init_from", "device.precision")  # though one of these is a name of it


@dataclass(frozen=True)
class Row:
    """One published number with the runs that repeat it: `experiment=<experiment> <overrides>`."""

    experiment: str
    name: str
    expected: Expected

    @property
    def id(self) -> str:
        """Its name in commands and of its stored result: `rows.lstm`."""
        return f"{self.experiment}.{self.name}"

    @property
    def metric(self) -> str:
        """Of result.json."""
        return self.expected.metric

    @property
    def words(self) -> tuple[str, ...]:
        """The overrides of its runs, without the seed."""
        return (f"{GROUP}={self.experiment}", *self.expected.overrides)

    def is_of(self, record: Mapping[str, Any]) -> bool:
        """Whether a run repeats it: its command has these words, and no other that counts.

        A run on data that stood in for the ones it names repeats nothing.

        Args:
            record: run.json of the run.
        """
        words = [str(word).lstrip("+") for word in record.get("overrides") or ()]
        own = {key_of(word) for word in self.words}
        data = record.get("data", {})
        if f"{GROUP}={self.experiment}" not in words or data.get("requested") != data.get("data"):
            return False
        config = record["config"]
        return all(is_aside(key_of(word)) or key_of(word) in own for word in words) and all(
            word in words or holds(config, word)  # a config leaves out newer keys at their default
            for word in self.expected.overrides
        )


def is_aside(key: str) -> bool:
    """Whether a key leaves the numbers of a run what they are, as the tracker does."""
    below = (key == name or key.startswith((f"{name}.", f"{name}/")) for name in _ASIDE)
    return key not in _COUNTS and any(below)


def holds(config: Mapping[str, Any], word: str) -> bool:
    """Whether a config has what an override asks for."""
    key, _, value = word.partition("=")
    found: Any = config
    for part in key_of(key).split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    if isinstance(found, Mapping):
        found = found.get("name")
    return found is not None and typed(found) == value.strip("'\"").replace(" ", "")


def rows(*, only: Collection[str] | None = None) -> list[Row]:
    """All published numbers, by the names of their experiments.

    Files of a `--config-dir` in use stand before ours.

    Args:
        only: experiments; all where it is None.

    Raises:
        ConfigError: what a file says under `expects` is wrong; the text names the file.
    """
    files: dict[str, Path] = {}
    for folder in (*folders(), shipped()):
        for path in (folder / GROUP).glob("*.yaml"):
            if only is None or path.stem in only:
                files.setdefault(path.stem, path)
    return [row for name in sorted(files) for row in _rows_of(name, files[name])]


def _rows_of(name: str, path: Path) -> list[Row]:
    from omegaconf import OmegaConf

    if KEY.encode() not in path.read_bytes():  # saves the parse
        return []
    values = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    if not isinstance(values, Mapping) or KEY not in values:
        return []
    try:
        found = expected(values[KEY])
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    return [Row(name, row, facts) for row, facts in found.items()]


def chosen(names: Sequence[str], among: Sequence[Row]) -> list[Row]:
    """The rows of these names: `rows` is every row of that experiment, `rows.lstm` one.

    Raises:
        ConfigError: there is none of a name; suggests the nearest.
    """
    found: dict[str, Row] = {}
    for name in names:
        of = [row for row in among if name in (row.id, row.experiment)]
        if not of:
            known = [*dict.fromkeys(row.experiment for row in among), *(row.id for row in among)]
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else "; list shows all"
            raise ConfigError(f"no published number is known of {name}{hint}")
        found |= {row.id: row for row in of}
    return list(found.values())
