"""Chooses what `device.kernel=auto` stands for in each variant of a sweep."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property

from mnist_seq.runs.folder import RunFolder
from mnist_seq.runs.variants import VariantKey, flat, variant_key, without_kernel
from mnist_seq.sweep.plan.variant import Variant
from mnist_seq.training.preflight.kernel import (
    Choice,
    Kernel,
    choose,
    in_words,
    kernel_in,
    with_kernel,
)


class Kernels:
    """The choices of one plan: each variant has one kernel, that of its runs that are there.

    Args:
        on_disk: runs of the sweep's folder.
        why_torch: why new variants go by torch, whatever they are, or "".
    """

    def __init__(self, on_disk: Iterable[RunFolder], *, why_torch: str = "") -> None:
        self._runs, self._why_torch = list(on_disk), why_torch
        self._chosen: dict[Variant, Choice] = {}  # from the variants that leave it open
        self._new: dict[Variant, Choice] = {}  # of the variants that were chosen for now
        self._settled: dict[tuple[Variant, Kernel], Variant] = {}

    def settled(self, variant: Variant, seed: int) -> Variant:
        """The variant with its kernel chosen, where it leaves that open."""
        if variant.prepared.config.device.kernel != "auto":
            return variant
        key = variant_key(without_kernel(variant.flat))
        found = self._there.get((key, seed)) or self._there.get((key, None))
        if found is None and variant not in self._chosen:
            config, why = variant.prepared.config, self._why_torch
            self._chosen[variant] = Choice("torch", why) if why else choose(config)
        kernel = found or self._chosen[variant].kernel
        if (variant, kernel) not in self._settled:
            config = with_kernel(variant.prepared.config, kernel)
            prepared = replace(variant.prepared, config=config)
            self._settled[variant, kernel] = Variant(prepared, is_kernel_chosen=True)
        settled = self._settled[variant, kernel]
        if found is None:
            self._new[settled] = self._chosen[variant]
        return settled

    def notice(self, variants: Sequence[Variant], *, of: str = "runs") -> str:
        """A line on the choices for the runs of a plan, by the variants of all of them.

        Args:
            of: the word for what has these variants.
        """
        found = Counter(self._new[variant] for variant in variants if variant in self._new)
        return in_words(found, of=of) if found else ""

    @cached_property
    def _there(self) -> dict[tuple[VariantKey, int | None], Kernel]:
        """The kernel of each run on disk, and of each variant with any seed."""
        found: dict[tuple[VariantKey, int | None], Kernel] = {}
        for run in self._runs:
            try:
                config = run.record()["config"]
                key, seed = variant_key(without_kernel(flat(config))), config["seed"]
                kernel = kernel_in(config)
            except (ValueError, KeyError, TypeError, AttributeError, OSError):
                continue  # a damaged folder: whoever uses the run reports it
            found[key, seed] = kernel
            found.setdefault((key, None), kernel)
        return found
