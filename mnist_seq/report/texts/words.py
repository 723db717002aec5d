"""What things are called: verdicts, variants, the groups that they stand in."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mnist_seq.report.texts import fmt
from mnist_seq.report.value import Report, Variant
from mnist_seq.runs.text import plural
from mnist_seq.runs.variants import ARM, NO_ARM, SOURCE, Flat, shown
from mnist_seq.stats import said

CELL = "model.name"
_UNDECIDED = "undecided"
DECIDED = ("better", "worse", "equivalent")
_CELLS = {
    **{name: name.upper() for name in ("lstm", "gru", "rnn", "irnn", "mgu", "janet", "hgrn", "lem",
                                       "lmu", "lru", "ssd", "tcn", "mut1", "mut2", "mut3", "s4d")},
    "indrnn": "IndRNN", "mamba": "Mamba", "mingru": "minGRU", "minlstm": "minLSTM",
    "mlstm": "mLSTM", "slstm": "sLSTM", "rglru": "RG-LRU", "transformer": "transformer",
    "gated_delta": "gated DeltaNet",
}  # fmt: skip
_DATA = {"cifar10": "CIFAR-10", "fashion_mnist": "Fashion-MNIST", "mqar": "MQAR",
         "japanese_vowels": "Japanese vowels"}  # fmt: skip
_SOURCE_LETTERS = 21  # 12 of the config's hash, 8 of the weights'
_UNITS = {"model.hidden": "hidden unit", "model.layers": "layer"}


def verdict(variant: Variant) -> str:
    """The verdict in one word: better, worse, equivalent, undecided, withheld, ..."""
    if variant.word == "too few seeds" and variant.n == 1:
        return "one seed"
    return said(str(variant.word))


def kind(variant: Variant) -> str:
    """How its verdict is drawn: "baseline", one of DECIDED, or "undecided" for all others."""
    word = str(variant.word)
    return word if word in (*DECIDED, "baseline") else _UNDECIDED


def cell(name: str) -> str:
    """A cell as people write it: LSTM, JANET, minGRU; one of somebody's own as commands do."""
    return _CELLS.get(name, name)


def is_known(cell: str) -> bool:
    """Whether a name for people is one of our cells'."""
    return cell in _CELLS.values()


def data(name: str) -> str:
    """A data set as people write it: "MNIST 5k" for mnist_5k."""
    return _DATA.get(name) or re.sub(
        r"k?mnist(1d)?", lambda m: m[0].upper(), name.replace("_", " ")
    )


def setting(key: str, value: str, keys: Sequence[str] = ()) -> str:
    """A setting in words: "32 hidden units"; "lr=0.01" where it has no unit."""
    if key == CELL:
        return cell(value)
    if key == ARM:
        return value
    if key == SOURCE:
        return f"from run {value[:_SOURCE_LETTERS]}"
    if key in _UNITS and value.isdecimal():
        return plural(int(value), _UNITS[key])
    return f"{_short(key, keys)}={value}"


def short_setting(key: str, value: str, keys: Sequence[str]) -> str:
    """The same as short as it can be: "LSTM", "hidden=32"."""
    return setting(key, value) if key in (CELL, ARM, SOURCE) else f"{_short(key, keys)}={value}"


@dataclass(frozen=True)
class Family:
    """A baseline and the variants that are compared with it.

    Attributes:
        title: what all of them share and others do not, such as "32 hidden units"; or "".
        baseline: None where it is missing.
        members: the variants, without the baseline.
        labels: by the variant's key, what tells it apart within the family; the baseline's too.
    """

    title: str
    baseline: Variant | None
    members: tuple[Variant, ...]
    labels: dict[int, str]

    @property
    def variants(self) -> tuple[Variant, ...]:
        """All of them, the baseline first."""
        return (*([self.baseline] if self.baseline else []), *self.members)

    @property
    def within(self) -> str:
        """The title as a part of a sentence: "32 hidden units and lr=0.01"."""
        return fmt.joined(self.title.split(", ")) if self.title else ""

    @property
    def base_name(self) -> str:
        """The baseline's label; "baseline" where that is a list of settings, or missing."""
        label = self.labels[self.baseline.key] if self.baseline else "="
        return "baseline" if "=" in label else label

    def short(self, variant: Variant) -> str:
        """A label with the number of the family: "GRU 32" for "GRU, 32 hidden units"."""
        number = self.title.partition(" ")[0]
        label = self.labels[variant.key]
        if number.isdecimal():
            return f"{label} {number}"
        return f"{label}, {self.title}" if self.title else label

    def line(self, variant: Variant) -> str:
        """What variants share that differ in the first setting of the title alone."""
        return f"{self.labels[variant.key]}, {self.title.partition(', ')[2]}"


def families(report: Report) -> list[Family]:
    """The variants by their baseline, in the order of the report."""
    return _families(report.variants, report.factor_keys)


def in_sentences(variants: Sequence[Variant], keys: Sequence[str]) -> dict[int, str]:
    """A name of each variant within a sentence: "RNN with 32 hidden units".

    Args:
        keys: that differ between them.
    """
    return {
        key: f"{label} with {family.within}" if family.title else label
        for family in _families(variants, keys)
        for key, label in family.labels.items()
    }


def _families(variants: Sequence[Variant], keys: Sequence[str]) -> list[Family]:
    found: dict[object, list[Variant]] = {}
    are_cells = CELL in keys or ARM in keys
    for v in variants:
        rest = tuple(
            item for item in v.settings.items() if are_cells and item[0] not in (CELL, ARM)
        )
        found.setdefault(rest if v.baseline is None else v.baseline, []).append(v)
    return [_family(variants, keys, members) for members in found.values()]


def _family(every: Sequence[Variant], keys: Sequence[str], variants: Sequence[Variant]) -> Family:
    is_one = {key: len({v.settings.get(key) for v in variants}) == 1 for key in keys}
    shared = [key for key in keys if is_one[key] and key not in (CELL, ARM)]  # those are labels
    told = [key for key in shared if len({v.settings.get(key) for v in every}) > 1]
    first = variants[0]
    parts = [setting(key, first.settings[key], keys) for key in told if key in first.settings]
    if len(variants) == len(every):
        parts = []  # there is one family: what it shares is what all share
    return Family(
        title=", ".join(parts),
        baseline=next((v for v in variants if v.is_baseline), None),
        members=tuple(v for v in variants if not v.is_baseline),
        labels={v.key: _label(v, [key for key in keys if key not in told], keys) for v in variants},
    )


def _label(v: Variant, own: Sequence[str], keys: Sequence[str]) -> str:
    """What tells a variant apart: its arm, its cell, else its settings."""
    parts = []
    is_arm = ARM in keys and v.settings.get(ARM, NO_ARM[1]) not in NO_ARM
    for key in own:
        if key not in v.settings or v.settings[key] in NO_ARM:
            continue
        if key == CELL and is_arm:
            continue
        value = v.settings[key]
        is_alone = len(own) == 1
        parts.append(setting(key, value, keys) if key in (CELL, ARM, SOURCE) or is_alone
                     else f"{_short(key, keys)}={value}")  # fmt: skip
    if not parts or (ARM in keys and not is_arm and CELL not in own):
        parts.insert(0, cell(v.cell))
    return ", ".join(parts)


def labelled(variants: Sequence[Variant], keys: Sequence[str]) -> tuple[Variant, ...]:
    """The variants with their names for people, their own and their baseline's.

    Args:
        keys: that differ between them.
    """
    found = {
        key: f"{label}, {family.title}" if family.title else label
        for family in _families(variants, keys)
        for key, label in family.labels.items()
    }
    return tuple(
        replace(
            v,
            label=found[v.key],
            baseline_label="" if v.baseline is None else found[v.baseline],
        )
        for v in variants
    )


def labels(report: Report) -> dict[int, str]:
    """A name of each variant that is unique in the report: "GRU, 32 hidden units"."""
    return {v.key: v.label for v in report.variants}


def described(variant: Flat, keys: Sequence[str]) -> str:
    """The name of a variant that is none of the report's: "LSTM, 32 hidden units"."""
    here = {key: shown(variant[key]) for key in keys if key in variant}
    told = [key for key in here if here[key] not in NO_ARM]
    told.sort(key=lambda key: (key != ARM, key != CELL))
    parts = [setting(key, here[key], keys) for key in told]
    return ", ".join(parts) or cell(str(variant.get(CELL, "run")))


def short_names(report: Report, known: Sequence[Variant]) -> dict[int, str]:
    """Names for marks, as short as they can be and none twice: "GRU 32"."""
    own = {v.key: f for f in families(report) for v in f.variants}
    found = {v.key: own[v.key].short(v) for v in known}
    twice = {name for name, num in Counter(found.values()).items() if num > 1}
    return {
        key: f"{name}, {own[key].title.partition(', ')[2]}" if name in twice else name
        for key, name in found.items()
    }


def arm_title(report: Report, variant: Variant) -> str:
    """What a variant changes, for people: the study's own words for the arm, else its overrides."""
    return report.asked.label(variant.settings.get(ARM, "")) or changes(variant)


def changes(variant: Variant) -> str:
    """The overrides of an arm, without the group that they all are of."""
    return variant.change.replace("model.", "")


def decimals_of(report: Report) -> int:
    """Decimals of all numbers in the metric's unit: by the narrowest interval of a difference.

    A squared error of 0.0005 beside a run that has learnt nothing, 0.16, is still not written as 0.
    """
    ends = [v.compared.comparison.interval for v in report.variants if v.compared]
    halves = [(end.high - end.low) / 2 for end in ends]
    if not halves:
        halves = [(v.high - v.low) / 2 for v in report.variants]
    found, most = fmt.decimals(halves, report.metric.decimals), report.metric.decimals
    means = [10 * abs(v.mean) for v in report.variants if v.mean]
    return max(found, fmt.decimals(means, most)) if means else found


def seeds(variants: Sequence[Variant]) -> str:
    """How many seeds comparisons rest on: "6 seeds", "4 to 6 seeds"."""
    found = sorted({v.compared.comparison.n if v.compared else v.n for v in variants})
    if not found:
        return "no seeds"
    return plural(found[0], "seed") if len(found) == 1 else f"{found[0]} to {found[-1]} seeds"


def points(report: Report, size: str) -> str:
    """A difference with its unit: "2.3 points"."""
    unit = report.metric.points
    return f"{size} {unit}" if unit else size


def _short(key: str, keys: Sequence[str]) -> str:
    """Last part of a key where no other ends alike; the group's name for an option."""
    of_group = key.removesuffix(".name")
    last = of_group.rsplit(".", 1)[-1]
    return last if sum(k.removesuffix(".name").endswith(last) for k in keys) <= 1 else of_group
