"""Checks and prepares each variant of a plan once: its runs differ in nothing but their seed."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeGuard

from pydantic import TypeAdapter, ValidationError

from mnist_seq.config import Config, plain
from mnist_seq.config.identity import identity_of, result_values
from mnist_seq.runs.variants import Flat, VariantKey, flat, variant_key
from mnist_seq.training.preflight.prepare import Prepared

_SEED: TypeAdapter[int] = TypeAdapter(Config.model_fields["seed"].rebuild_annotation())


@dataclass(frozen=True, eq=False)
class Variant:
    """What runs have in common that differ in nothing but their seed.

    Attributes:
        prepared: one of them.
        is_kernel_chosen: whether the plan chose what `device.kernel=auto` left open.
    """

    prepared: Prepared
    is_kernel_chosen: bool = False

    @cached_property
    def flat(self) -> Flat:
        """The keys that make it a variant."""
        return flat(plain(self.prepared.config))

    @cached_property
    def key(self) -> VariantKey:
        """Its hashable identity, as reports have it."""
        return variant_key(self.flat)

    @cached_property
    def _result_values(self) -> dict[str, Any]:
        return result_values(self.prepared.config)

    def config(self, seed: int) -> Config:
        """The config of the run with a seed."""
        return self.prepared.config.model_copy(update={"seed": seed})

    def identity(self, seed: int) -> str:
        """Over the config and the data of the run with a seed."""
        of_config = identity_of({**self._result_values, "seed": seed})
        return f"{of_config}/{self.prepared.located.fingerprint}"


class Variants:
    """The variants of a plan, each checked when its first run comes.

    Args:
        check: gives composed values their types.
        prepare: solves a config's size and finds its data.
    """

    def __init__(
        self,
        check: Callable[[Mapping[str, Any]], Config],
        prepare: Callable[[Config], Prepared],
    ) -> None:
        self._check, self._prepare = check, prepare
        self._known: dict[bytes, Variant] = {}

    def of(self, values: Mapping[str, Any]) -> tuple[Variant, int]:
        """The variant of a run's composed values, and the run's seed.

        Raises:
            ConfigError: the values are impossible.
        """
        rest = {key: value for key, value in values.items() if key != "seed"}
        # Their text tells 1, 1.0, true and "1" apart
        digest = hashlib.sha256(repr(rest).encode()).digest()
        seed = values.get("seed")
        if digest in self._known and _is_seed(seed):
            return self._known[digest], seed
        config = self._check(values)
        if digest not in self._known:
            self._known[digest] = Variant(self._prepare(config))
        return self._known[digest], config.seed


def _is_seed(value: Any) -> TypeGuard[int]:
    try:
        _SEED.validate_python(value, strict=True)
    except ValidationError:
        return False
    return True
