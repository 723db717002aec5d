"""The search space: Hydra's sweeps as Optuna's distributions, and a trial's values as overrides."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException

from mnist_seq.config import ConfigError
from mnist_seq.config.words import key_of, last_of_each_key


@dataclass(frozen=True)
class Space:
    """The keys that are searched, and the overrides that all trials share.

    Attributes:
        fixed: overrides of every trial.
        texts: key: its sweep, as it was written.
        distributions: key: its distribution. Choices are the texts of overrides.
        typed: key: the key as it was typed, with its + or ++.
        only: searched or fixed key: (group, the options of it whose trials have the key); absent
            for keys of all trials.
    """

    fixed: tuple[str, ...]
    texts: dict[str, str]
    distributions: dict[str, Any]
    typed: dict[str, str]
    only: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)

    def words(self, params: Mapping[str, Any]) -> tuple[str, ...]:
        """The overrides of a trial."""
        fixed = [word for word in self.fixed if self.is_of(key_of(word), params)]
        keys = [key for key in self.distributions if self.is_of(key, params)]
        return (*fixed, *(f"{self.typed[key]}={params[key]}" for key in keys))

    def is_of(self, key: str, params: Mapping[str, Any]) -> bool:
        """Whether a trial with these choices has a key."""
        group, options = self.only.get(key, ("", ()))
        return not group or params.get(group) in options

    def told(self) -> Iterator[str]:
        """One text for each searched key, and for each fixed key of some trials only."""
        of_some = [word for word in self.fixed if key_of(word) in self.only]
        fixed = [(key_of(word), word.partition("=")[2]) for word in of_some]
        for key, text in [*self.texts.items(), *fixed]:
            group, options = self.only.get(key, ("", ()))
            of = f": trials of {group}={','.join(options)} only" if group else ""
            yield f"{key}={text}{of}"

    def corners(self) -> Iterator[dict[str, Any]]:
        """Points that have, together, each choice and both ends of each interval and range.

        The first point has the lowest value or the first choice of each key, and each of the others
        differs in one key, or in a key of some trials and its option. Keys that a point's options
        lack are in it too.
        """
        first = {key: _values(d)[0] for key, d in self.distributions.items()}
        yield first
        for key, d in self.distributions.items():
            group, options = self.only.get(key, ("", ()))
            given = {group: options[0]} if group and first[group] not in options else {}
            values = _values(d)
            for value in values if hasattr(d, "choices") else [values[0], values[-1]]:
                if given or value != first[key]:
                    yield {**first, **given, key: value}

    def check_cma_es(self) -> None:
        """Refuse a space in which CMA-ES would draw at random.

        Raises:
            ConfigError: there are fewer than two numbers to search, or trials differ in their keys.
        """
        for key in self.distributions:
            if key in self.only:
                group, options = self.only[key]
                raise ConfigError(
                    "hydra.sweeper.sampler=cmaes needs the same keys in all trials: "
                    f"{key} is in trials of {group}={','.join(options)} only; choose sampler=tpe, "
                    f"or give {key} one value"
                )
        numbers = [key for key, d in self.distributions.items() if not hasattr(d, "choices")]
        if len(numbers) < 2:
            raise ConfigError(
                "hydra.sweeper.sampler=cmaes needs two numbers or more, as intervals or ranges: "
                f'{", ".join(numbers) or "none"}; write "model.hidden=int(interval(16,128))", or '
                "choose sampler=tpe"
            )

    def grid(self) -> Iterator[dict[str, Any]]:
        """All points of the space.

        Raises:
            ConfigError: a key has an interval.
        """
        for key, d in self.distributions.items():
            if not hasattr(d, "choices") and d.step is None:
                raise ConfigError(
                    f"hydra.sweeper.sampler=grid needs choices or ranges: {key}={self.texts[key]}; "
                    f"write '{key}=range(1,5)' or {key}=a,b,c, or choose sampler=random"
                )
        for point in self._product([key for key in self.distributions if key not in self.only]):
            for rest in self._product([key for key in self.only if self.is_of(key, point)]):
                given = point | rest
                yield {key: given[key] for key in self.distributions if key in given}

    def _product(self, keys: Sequence[str]) -> Iterator[dict[str, Any]]:
        searched = [key for key in keys if key in self.distributions]
        columns = [_values(self.distributions[key]) for key in searched]
        for values in itertools.product(*columns):
            yield dict(zip(searched, values, strict=True))


def read_space(words: Sequence[str], search: Mapping[str, str], parser: OverridesParser) -> Space:
    """The search space of a command and its config; the command has precedence.

    Raises:
        ConfigError: an entry is not a sweep, or there are no entries.
    """
    words = list(last_of_each_key(words).values())
    given = parser.parse_overrides(words)
    keys = set(map(key_of, words))
    sweeps = [override for override in given if override.is_sweep_override()]
    sweeps += [_entry(key, text, parser) for key, text in search.items() if key_of(key) not in keys]
    if not sweeps:
        raise ConfigError(
            'a search needs something to search: write "optimizer.lr=tag(log,interval(1e-4,1e-1))" '
            "or model.hidden=32,64, or put it into hydra.sweeper.search"
        )
    fixed = [str(o.input_line) for o in given if not o.is_sweep_override()]
    by_key = {key_of(str(o.input_line)): o for o in sweeps}
    if odd := [key for key in by_key if key.startswith(("sweep.", "hydra"))]:
        raise ConfigError(f"a search runs over what a run is asked to do: give {odd[0]} one value")
    return Space(
        fixed=tuple(word for word in fixed if not key_of(word).startswith(("hydra", "sweep."))),
        texts={key: str(o.input_line).partition("=")[2] for key, o in by_key.items()},
        distributions={key: _distribution(o) for key, o in by_key.items()},
        typed={key: o.get_key_element() for key, o in by_key.items()},
    )


def _entry(key: str, text: str, parser: OverridesParser) -> Override:
    try:
        override = parser.parse_override(f"{key}={text}")
    except HydraException as error:
        raise ConfigError(
            f"hydra.sweeper.search must hold sweeps in Hydra's grammar: {key}: {text}; {error}"
        ) from None
    if not override.is_sweep_override():
        raise ConfigError(
            f"hydra.sweeper.search must hold sweeps: {key}: {text}; write choice(...), range(...), "
            "interval(...) or tag(log, interval(...))"
        )
    return override


def _distribution(override: Override) -> Any:
    import optuna.distributions as of

    sweep: Any = override.value()
    # a glob(...) has no tags
    key, is_log = override.get_key_element(), "log" in getattr(sweep, "tags", ())
    if isinstance(sweep, IntervalSweep):
        assert sweep.start is not None
        assert sweep.end is not None
        low, high = sweep.start, sweep.end
        if low >= high or (is_log and low <= 0):
            rule = "rise, from above 0" if is_log else "rise"
            raise ConfigError(f"an interval must {rule}: {override.input_line}")
        kind = of.IntDistribution if isinstance(low, int) else of.FloatDistribution
        return kind(low, high, log=is_log)
    texts = list(override.sweep_string_iterator())
    if isinstance(sweep, RangeSweep):
        numbers = [float(text) for text in texts]
        if not numbers:
            raise ConfigError(f"a range must hold a value: {override.input_line}")
        low, high, step = min(numbers), max(numbers), abs(float(sweep.step))
        if all(number.is_integer() for number in [*numbers, step]):
            return of.IntDistribution(int(low), int(high), step=int(step))
        return of.FloatDistribution(low, high, step=step)
    if not texts:
        raise ConfigError(f"a choice must hold a value: {key}")
    return of.CategoricalDistribution(list(dict.fromkeys(texts)))


def _values(distribution: Any) -> list[Any]:
    """All values in words, or the first and last if there are many."""
    if hasattr(distribution, "choices"):
        return list(distribution.choices)
    low, high, step = distribution.low, distribution.high, distribution.step
    if step is None:
        return [low, high]
    return [low + i * step for i in range(round((high - low) / step) + 1)]
