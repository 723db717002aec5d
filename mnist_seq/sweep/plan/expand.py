"""Expands the overrides of a command to the overrides of each run: product, zip, exclude."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from mnist_seq.config.errors import ConfigError
from mnist_seq.config.words import key_of, last_of_each_key, without_plus

MAX_JOBS = 100_000


@dataclass(frozen=True)
class Grid:
    """The runs that a command asks for.

    Attributes:
        jobs: the overrides of each run; as in nested loops, the last key changes fastest.
        swept: keys with more than one value, or with a choice of one, in the order of the command;
            runs are named by them.
    """

    jobs: list[tuple[str, ...]]
    swept: list[str]


def expand(
    arguments: Sequence[str],
    parser: OverridesParser,
    *,
    zipped: Sequence[str] = (),
) -> Grid:
    """All combinations of the swept values.

    Args:
        arguments: overrides in Hydra's grammar: choices, ranges, globs, sort, shuffle, tags.
        zipped: keys whose values are paired, first with first, instead of combined all with all.

    Raises:
        ConfigError: zipped keys are not swept, or differ in length.
    """
    words = last_of_each_key(arguments)
    overrides = parser.parse_overrides(list(words.values()))
    axes = [(key, _values(override)) for key, override in zip(words, overrides, strict=True)]
    zipped = [key_of(key) for key in zipped]
    num_jobs = math.prod(len(values) for key, values in axes if key not in zipped)
    if num_jobs > MAX_JOBS:
        counts = ", ".join(f"{key} has {len(v):,}" for key, v in axes if len(v) > 1)
        raise ConfigError(f"a sweep is {MAX_JOBS:,} runs or fewer: {counts}; give fewer values")
    swept = [
        key
        for (key, values), override in zip(axes, overrides, strict=True)
        if len(values) > 1 or override.is_choice_sweep()
    ]
    columns = _columns(axes, zipped)
    jobs = [tuple(itertools.chain(*rows)) for rows in itertools.product(*columns)]
    order = {key: i for i, (key, _) in enumerate(axes)}
    jobs = [tuple(sorted(job, key=lambda word: order[key_of(word)])) for job in jobs]
    return Grid(list(dict.fromkeys(jobs)), swept)


def without(grid: Grid, excluded: Sequence[str]) -> Grid:
    """The grid without some combinations.

    Args:
        grid: with the arms of a study, whose runs are named `arm=<name>,...`.
        excluded: each "key=value,key=value", as the runs' folders are named.

    Raises:
        ConfigError: an exclusion fits no run, or none is left.
    """
    jobs = grid.jobs
    for text in excluded:
        left = [job for job in jobs if not _matches(job, text)]
        if len(left) == len(jobs):
            raise ConfigError(
                f"sweep.exclude must name planned runs: {text!r} fits none of {len(jobs)}; write "
                "it as 'model=rnn,model.hidden=128', with the values as the sweep has them"
            )
        if not left:
            raise ConfigError(
                f"a sweep needs a run, and sweep.exclude leaves none of {len(jobs)}: {text!r}"
            )
        jobs = left
    return Grid(jobs, grid.swept)


def _values(override: Override) -> list[str]:
    key = override.get_key_element()
    if not override.is_sweep_override():
        return [f"{key}={override.get_value_element_as_str()}"]
    if not override.is_discrete_sweep():
        raise ConfigError(
            f"a sweep runs over given values: {override.input_line}; write key=a,b,c or "
            '"key=range(1,4)", or search intervals with hydra/sweeper=optuna'
        )
    written = override.input_line
    # a range may have billions of values
    found = list(itertools.islice(override.sweep_string_iterator(), MAX_JOBS + 1))
    if not found:
        raise ConfigError(f"a swept key needs values, and {written} has none; give one or more")
    if len(found) > MAX_JOBS:
        raise ConfigError(f"a sweep is {MAX_JOBS:,} runs or fewer: {written}; give fewer values")
    return [f"{key}={value}" for value in found]


def _columns(
    axes: list[tuple[str, list[str]]], zipped: Sequence[str]
) -> list[list[tuple[str, ...]]]:
    """The values of each key as one column; zipped keys are one column together."""
    values = dict(axes)
    for key in zipped:
        if len(values.get(key, ())) < 2:
            swept = ", ".join(k for k, v in axes if len(v) > 1) or "none"
            raise ConfigError(
                f"sweep.zip must name swept keys: {key}; this sweep runs over {swept}"
            )
    lengths = {key: len(values[key]) for key in zipped}
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{key} has {n}" for key, n in lengths.items())
        raise ConfigError(f"sweep.zip pairs keys with equally many values: {counts}; even them out")
    columns: list[list[tuple[str, ...]]] = []
    for key, options in axes:
        if key not in zipped:
            columns.append([(option,) for option in options])
        elif key == zipped[0]:
            columns.append(list(zip(*(values[k] for k in zipped), strict=True)))
    return columns


def _matches(job: tuple[str, ...], text: str) -> bool:
    words = set(map(without_plus, job))
    return all(without_plus(part.strip()) in words for part in text.split(","))
