"""Composition of many configs that differ little.

Hydra composes a config in about 80 ms, and twice a job. Here it does so once for each combination
of group choices; plain values are then set on a copy, by the call that Hydra itself makes for them.
A test holds the result to Hydra's own.
"""

import copy
import itertools
from collections.abc import Sequence
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import ConfigCompositionException, HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from mnist_seq.config import ConfigError


class Composer:
    """Composes the configs of a sweep's runs."""

    def __init__(self, loader: ConfigLoader, master: DictConfig) -> None:
        self.loader, self.master = loader, master
        self.parser = OverridesParser.create(config_loader=loader)
        self._whole: dict[tuple[str, ...], DictConfig] = {}  # with Hydra's own node
        self._parsed: dict[str, Override] = {}
        self._groups: dict[str, bool] = {}
        self._task: dict[tuple[str, ...], DictConfig] = {}  # without it

    def values(self, words: Sequence[str]) -> dict[str, Any]:
        """A run's config as plain values, interpolations resolved; Hydra's node left out."""
        choices, values = self._parted(words)
        self._compose(choices)
        cfg = copy.deepcopy(self._task[choices])
        self._set(cfg, values)
        plain = OmegaConf.to_container(cfg, resolve=True)
        assert isinstance(plain, dict)
        return {str(key): value for key, value in plain.items()}

    def whole(self, words: Sequence[str], *, name: str, index: int) -> DictConfig:
        """A run's config with Hydra's node, as a launcher hands it to a job.

        Args:
            name: the run's folder, below the sweep's.
            index: position of the run in the sweep.
        """
        choices, values = self._parted(words)
        cfg = copy.deepcopy(self._compose(choices))
        self._set(cfg, values)
        with open_dict(cfg):
            cfg.hydra.overrides.task = list(words)
            cfg.hydra.sweep.subdir = name
            cfg.hydra.job.override_dirname = name
            cfg.hydra.job.id = cfg.hydra.job.num = index
        return cfg

    def _compose(self, choices: tuple[str, ...]) -> DictConfig:
        if choices not in self._whole:
            cfg = self.loader.load_sweep_config(self.master, list(choices))
            self._whole[choices] = cfg
            task = copy.deepcopy(cfg)
            OmegaConf.set_readonly(task, False)
            with open_dict(task):
                del task["hydra"]
            self._task[choices] = task
        return self._whole[choices]

    def _parted(self, words: Sequence[str]) -> tuple[tuple[str, ...], list[Override]]:
        """Overrides that Hydra must compose, and those that only set a value.

        What adds or deletes a key depends on the values before it, so Hydra gets them all then.
        """
        overrides = [self._parse(word) for word in words]
        if any(o.is_add() or o.is_delete() or o.is_force_add() for o in overrides):
            return tuple(words), []
        are_values = [self._is_value(override) for override in overrides]
        choices = [word for word, is_value in zip(words, are_values, strict=True) if not is_value]
        return tuple(choices), list(itertools.compress(overrides, are_values))

    def _parse(self, word: str) -> Override:
        if word not in self._parsed:
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
            self._groups[key] = bool(self.loader.get_group_options(key))
        return not self._groups[key]

    def _set(self, cfg: DictConfig, overrides: list[Override]) -> None:
        for override in overrides:
            key = override.key_or_group
            try:
                OmegaConf.update(cfg, key, override.value(), merge=True)
            except OmegaConfBaseException as error:
                raise ConfigCompositionException(f"Could not override '{key}'.") from error
