"""Expands an ablation study: its baseline and its arms, run over one grid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from omegaconf import DictConfig, OmegaConf

from mnist_seq.config.errors import ConfigError
from mnist_seq.config.messages import validated
from mnist_seq.config.schema import Ablation
from mnist_seq.config.words import key_of, last_of_each_key
from mnist_seq.runs.variants import ARM, NO_ARM
from mnist_seq.sweep.plan.expand import Grid

BASELINE = NO_ARM[1]
Words = tuple[str, ...]


@dataclass(frozen=True)
class Study:
    """An ablation study.

    Attributes:
        base: overrides of all runs; the command's overrides win over them.
        arms: overrides of the arms by name, `baseline` first.
    """

    base: Words
    arms: dict[str, Words]

    def over(self, grid: Grid) -> Grid:
        """Every job of a grid with every arm; arms are run one at a time, not combined.

        Raises:
            ConfigError: an arm sets what the grid runs over.
        """
        for name, words in self.arms.items():
            taken = [key_of(word) for word in words if key_of(word) in grid.swept]
            if taken:
                raise ConfigError(
                    f"an arm and the grid must not set the same key: arm {name} sets {taken[0]}, "
                    f"and the command sweeps it; leave {taken[0]} out of the command"
                )
        jobs = [
            (f"{ARM}={name}", *last_of_each_key([*self.base, *job, *words]).values())
            for job in grid.jobs  # so that a study that is stopped early has complete pairs
            for name, words in self.arms.items()
        ]
        return Grid(jobs, [ARM, *grid.swept])

    def twins(self, planned: Sequence[Words]) -> list[str]:
        """A notice for each arm that has no runs, because another arm has the same config."""
        there = {word for words in planned for word in words}
        return [
            f"arm {name} is the same config as an arm before it; one run stands for both"
            for name in self.arms
            if f"{ARM}={name}" not in there
        ]


def study_of(master: DictConfig, arguments: Sequence[str]) -> tuple[Study | None, list[str]]:
    """The study of a command, and the command's other overrides.

    Args:
        master: the command's config.

    Raises:
        ConfigError: the study's YAML or the command's changes to it are impossible.
    """
    words = [word for word in arguments if not key_of(word).lstrip("~").startswith("ablation")]
    if len(words) == len(arguments):
        return None, words
    values = OmegaConf.to_container(master.ablation, resolve=True) if "ablation" in master else None
    if not isinstance(values, Mapping):
        raise ConfigError(
            "a sweep runs one study: ablation=<name>, with one value for each ablation.<key>"
        )
    if named := [word for word in words if key_of(word) == "arm"]:
        raise ConfigError(
            f"a study names its arms itself: {named[0]}; leave some of them out by "
            "'~ablation.arms.<name>'"
        )
    study = validated(Ablation, {str(k): v for k, v in values.items()}, "ablation")
    return Study(tuple(study.base), _arms(study)), words


def _arms(study: Ablation) -> dict[str, Words]:
    single = {name: tuple(words) for name, words in study.arms.items()}
    for name in single:
        if name in NO_ARM:
            raise ConfigError(f"ablation.arms.{name} is taken; give the arm another name")
    arms: dict[str, Words] = {BASELINE: ()}
    if study.design == "leave_one_out":
        arms[BASELINE] = _together(single, list(single))
        for name in single:
            arms[f"without_{name}"] = _together(single, [n for n in single if n != name])
        if study.pairs:
            raise ConfigError(
                "ablation.design=leave_one_out starts from all arms at once, and has no pairs: "
                f"ablation.pairs={study.pairs}; write ablation.pairs=[]"
            )
        return arms
    arms |= single
    for pair in study.pairs:
        arms["+".join(pair)] = _together(single, pair)
    return arms


def _together(arms: Mapping[str, Words], names: Sequence[str]) -> Words:
    """The overrides of several arms together."""
    words: dict[str, tuple[str, str]] = {}
    for name in names:
        if name not in arms:
            raise ConfigError(
                f"ablation.pairs must name arms: {name}; the arms are {', '.join(arms)}"
            )
        for word in arms[name]:
            other, _ = words.setdefault(key_of(word), (name, word))
            if other != name:
                raise ConfigError(
                    f"arms that go together must set different keys: {other} and {name} both set "
                    f"{key_of(word)}"
                )
    return tuple(word for _, word in words.values())
