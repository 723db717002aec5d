"""Composes many configs that differ little.

Hydra composes a config in about 80 ms, and twice a job. Here it does so once for each combination
of group choices; plain values are then set on a copy. A copy of plain dicts takes
microseconds, and is used if no interpolation of the config reads another key. Otherwise OmegaConf
makes the copy, in 6 ms, and sets the values by the same call as Hydra. A test compares both with
Hydra's composition.
"""

import copy
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType, ValueType
from hydra.errors import ConfigCompositionException, HydraException
from omegaconf import DictConfig, OmegaConf, flag_override, open_dict
from omegaconf.errors import OmegaConfBaseException

from mnist_seq.config import ConfigError
from mnist_seq.config.hydra_errors import hydra_node_of
from mnist_seq.config.paths import options_of
from mnist_seq.config.words import flattened, key_of, words_in

# interpolations that read no key of the config: the time, the environment, Hydra's own node
_READS_NO_KEY = re.compile(r"\$\{(now|oc\.env|hydra):[^${}]*\}")
# and those of Hydra's node that follow from the plan
_OF_A_JOB = re.compile(
    r"\$\{hydra:((?:job\.(?:num|id|override_dirname)|sweep\.subdir|runtime\.output_dir|overrides)\b"
    r"[^${}]*)\}"
)


# Most values of a large grid. Hydra's parser takes 0.6 ms for one, and means the same by it
_NUMBER = re.compile(r"([a-z_]+(?:\.[a-z_]+)*)=(-?(?:0|[1-9][0-9]{0,15})(?:\.[0-9]{1,15})?)")


@dataclass(frozen=True)
class _Composed:
    """The config that Hydra composed for a set of group choices.

    Attributes:
        whole: with Hydra's own node.
        task: without it.
        plain: the values of `task`; None where some of them depend on other keys.
    """

    whole: DictConfig
    task: DictConfig
    plain: dict[str, Any] | None


class Composer:
    """Composes the configs of a sweep's runs."""

    def __init__(self, loader: ConfigLoader, master: DictConfig) -> None:
        self.loader, self.master = loader, master
        self.parser = OverridesParser.create(config_loader=loader)
        self._composed: dict[tuple[str, ...], _Composed] = {}
        self._parsed: dict[str, Override] = {}
        self._groups: dict[str, bool] = {}
        self._launched_alike: set[tuple[str, ...]] = set()
        self.options = options_of(loader, master)

    def values(self, words: Sequence[str]) -> dict[str, Any]:
        """A run's config as plain values, interpolations resolved; Hydra's node left out.

        Parts of it are shared with other runs' values: read it, do not change it.
        """
        choices, overrides = self._parted(words)
        composed = self._compose(choices)
        if composed.plain is not None:
            values = _with(composed.plain, overrides)
            if values is not None:
                return values
        cfg = copy.deepcopy(composed.task)
        self._set(cfg, overrides)
        _check_known(_texts(OmegaConf.to_container(cfg, resolve=False)))
        return _plain(cfg, composed.whole)

    def check_launch(self, words: Sequence[str]) -> None:
        """Refuse a run whose own options say otherwise than the command how the sweep runs.

        Raises:
            ConfigError: names the key; a sweep reads it once for all runs.
        """
        choices, _ = self._parted(words)
        if choices in self._launched_alike:
            return
        asked = words_in(self.master, "task")
        typed = {key_of(word) for word in asked}
        own, common = map(_launch, (self._compose(choices).whole, self.master))
        for key in [*own, *common]:
            is_typed = any(key == word or key.startswith(f"{word}.") for word in typed)
            if not is_typed and own.get(key) != common.get(key):
                of = " ".join(w for w in choices if w not in asked) or " ".join(choices)
                raise ConfigError(
                    f"a sweep has one {key} for all of its runs, and {of} gives it another value: "
                    f"{key}={own.get(key, 'absent')}; run that in a sweep of its own"
                )
        self._launched_alike.add(choices)

    def defaults(self) -> dict[str, Any]:
        """The values of the config without any override, also of Hydra's own keys.

        An override of `hydra.sweeper` may need the sweeper that an experiment chooses.
        """
        master = copy.deepcopy(self.master)
        with flag_override(master, ["struct", "readonly"], [False, False]):
            OmegaConf.set_readonly(master.hydra, False)
            master.hydra.overrides.hydra = []
        return Composer(self.loader, master).values([])

    def whole(self, words: Sequence[str], *, name: str, index: int) -> DictConfig:
        """A run's config with Hydra's node, as a launcher hands it to a job.

        Args:
            name: the run's folder, below the sweep's.
            index: position of the run in the sweep.
        """
        choices, values = self._parted(words)
        cfg = copy.deepcopy(self._compose(choices).whole)
        self._set(cfg, values)
        with open_dict(cfg):
            cfg.hydra.overrides.task = list(words)
            cfg.hydra.sweep.subdir = name
            cfg.hydra.job.override_dirname = name
            cfg.hydra.job.id = cfg.hydra.job.num = index
        return cfg

    def _compose(self, choices: tuple[str, ...]) -> _Composed:
        if choices not in self._composed:
            whole = self.loader.load_sweep_config(self.master, list(choices))
            task = copy.deepcopy(whole)
            OmegaConf.set_readonly(task, False)
            with open_dict(task):
                del task["hydra"]
            self._composed[choices] = _Composed(whole, task, _plain_if_free(task, whole))
        return self._composed[choices]

    def _parted(self, words: Sequence[str]) -> tuple[tuple[str, ...], list[Override]]:
        """The overrides that Hydra must compose, and those that only set a value.

        If an override with + or ~ is there, its effect depends on the others, so Hydra gets all.
        """
        overrides = [self._parse(word) for word in words]
        if any(o.is_add() or o.is_delete() for o in overrides):
            return tuple(words), []
        are_values = [self._is_value(override) for override in overrides]
        choices = [word for word, is_value in zip(words, are_values, strict=True) if not is_value]
        return tuple(choices), list(itertools.compress(overrides, are_values))

    def _parse(self, word: str) -> Override:
        if word not in self._parsed:
            if (number := _NUMBER.fullmatch(word)) is not None:
                key, text = number.groups()
                return _change(word, key, float(text) if "." in text else int(text))
            try:
                self._parsed[word] = self.parser.parse_override(word)
            except HydraException:
                raise ConfigError(f"an override is key=value in Hydra's grammar: {word}") from None
        return self._parsed[word]

    def _is_value(self, override: Override) -> bool:
        key = override.key_or_group
        if override.package is not None or key.startswith("hydra"):
            return False
        if key not in self._groups:
            self._groups[key] = bool(self.options(key))
        return not self._groups[key]

    def _set(self, cfg: DictConfig, overrides: list[Override]) -> None:
        for override in overrides:
            key, is_forced = override.key_or_group, override.is_force_add()
            try:
                OmegaConf.update(cfg, key, override.value(), merge=True, force_add=is_forced)
            except OmegaConfBaseException as error:
                text = f"Could not override '{key}'."
                if is_forced:
                    text = f"Error merging override {override.input_line}"
                raise ConfigCompositionException(text) from error


def _launch(config: DictConfig) -> dict[str, Any]:
    """What a config says on the launch of a sweep: flat keys, unresolved values."""
    found: dict[str, Any] = {}
    for key in ("hydra/sweeper", "hydra/launcher"):  # first, because their keys follow
        found[key] = config.hydra.runtime.choices.get(key)
    for key in ("sweep", "hydra.sweeper", "hydra.launcher", "hydra.sweep.dir"):
        parent, _, name = key.rpartition(".")
        node = OmegaConf.select(config, parent) if parent else config
        values = OmegaConf.to_container(node, resolve=False) if node is not None else {}
        assert isinstance(values, dict)
        value = values.get(name)
        found |= flattened(value, f"{key}.") if isinstance(value, dict) else {key: value}
    found.pop("sweep.name", None)  # the clock's, at each composition
    return found


def _change(word: str, key: str, value: float) -> Override:
    return Override(OverrideType.CHANGE, key, ValueType.ELEMENT, value, input_line=word)


def _check_known(texts: Iterable[str]) -> None:
    """Refuse an interpolation of what is known only when a job starts."""
    for text in texts:
        if match := _OF_A_JOB.search(text):
            raise ConfigError(
                f"a sweep is planned before its runs start, and hydra.{match[1]} is known then: "
                f'{text}; write the values themselves, such as "seed=range(3)"'
            )


def _plain(cfg: DictConfig, whole: DictConfig) -> dict[str, Any]:
    with hydra_node_of(whole):
        values = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}


def _plain_if_free(cfg: DictConfig, whole: DictConfig) -> dict[str, Any] | None:
    """The values of a config, or None if an interpolation reads another key or fails."""
    texts = list(_texts(OmegaConf.to_container(cfg, resolve=False)))
    if any("${" in _READS_NO_KEY.sub("", text) or _OF_A_JOB.search(text) for text in texts):
        return None
    try:
        return _plain(cfg, whole)
    except OmegaConfBaseException:  # of a value that an override may replace
        return None


def _texts(value: Any) -> Iterator[str]:
    """All texts in nested values."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _with(values: dict[str, Any], overrides: Sequence[Override]) -> dict[str, Any] | None:
    """Values with some of them replaced; None if OmegaConf must set one of them."""
    changed = dict(values)
    for override in overrides:
        *groups, key = override.key_or_group.split(".")
        value, node = override.value(), changed
        for group in groups:
            inner = node.get(group)
            if not isinstance(inner, dict):
                return None
            node[group] = node = dict(inner)
        if key not in node or isinstance(node[key], dict) or not _is_literal(value):
            return None
        node[key] = value
    return changed


def _is_literal(value: Any) -> bool:
    """Whether a value means the same in any config."""
    if isinstance(value, list):
        return all(map(_is_literal, value))
    if isinstance(value, str):
        return "${" not in value and value != "???"
    return value is None or isinstance(value, bool | int | float)
