"""Describes the arms of an ablation study, and orders them by effect."""

import math
from collections.abc import Mapping, Sequence

from mnist_seq.config.words import key_of
from mnist_seq.report.analyse.comparisons import Found
from mnist_seq.report.analyse.grouping import Group
from mnist_seq.runs.variants import ARM


def change_of(group: Group, groups: Sequence[Group]) -> str:
    """The overrides that an arm has and its baseline lacks; "not ..." for the reverse."""
    if ARM not in group.variant or group.baseline is None:
        return ""
    own, base = _words(group), _words(groups[group.baseline])
    added = [word for word in own if word not in base]
    replaced = {key_of(word) for word in added}
    removed = [w for w in base if w not in own and key_of(w) not in replaced]
    return ", ".join([*added, *(f"not {word}" for word in removed)])


def by_effect(groups: Sequence[Group], found: Mapping[int, Found]) -> list[int]:
    """Positions of a study's groups: each baseline, then its arms, the largest effect first.

    Groups of a sweep without arms stay where they are.
    """
    places = list(range(len(groups)))
    if not any(ARM in group.variant for group in groups):
        return places
    heads = {own: place for place, own in enumerate(dict.fromkeys(g.baseline for g in groups))}

    def key(place: int) -> tuple[float, bool, float]:
        own = found.get(place)
        effect = -abs(own.comparison.difference) if own else math.inf
        return heads[groups[place].baseline], groups[place].baseline != place, effect

    return sorted(places, key=key)


def _words(group: Group) -> list[str]:
    words = [str(word) for word in group.runs[0].record.get("overrides", [])]
    return [w for w in words if w.lstrip("+~").partition("=")[0] not in (ARM, "seed")]
