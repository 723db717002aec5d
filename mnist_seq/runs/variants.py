"""Decides which runs are one variant, and which variant is the baseline of another.

The rule, for a variant V of a sweep, among the variants of its own data set:
1. `baseline='model=lstm model.hidden=64'` sets it by hand.
2. If the sweep holds arms of an ablation study: the variant that is no arm and agrees with V on
   every key that the study itself varies.
3. If runs start from others (`training.init_from`), and none has the LSTM: the variant that
   starts anew, without frozen weights, and agrees with V on every other key.
4. If the sweep holds a cell other than the LSTM: the LSTM variant that agrees with V on every other
   key. The LSTM's own options have their default values. The other cell's own options are not
   compared, nor is `hidden` if a size was asked for.
5. Else the variant whose varying keys have their default values.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from mnist_seq.config.identity import NOT_OF_A_RESULT
from mnist_seq.config.schema import Images, Model

Flat = dict[str, Any]
VariantKey = tuple[tuple[str, str, Any], ...]

BASELINE_CELL = "lstm"
ARM = "arm"
KERNEL = "device.kernel"  # absent where it is torch, as in runs from before it
SOURCE = "training.init_source"
START = (SOURCE, "training.init_head", "training.init_optimizer", "training.freeze")
NO_ARM = ("none", "baseline")  # a run outside of a study, and the baseline of a study's arms
OF_ALL_CELLS = {f"model.{key}" for key in Model.model_fields}
# Keys of all cells that came after runs existed. A config lacks them where they have their default.
_LATER = {f"model.{key}" for key, field in Model.model_fields.items() if not field.is_required()}
_NOT_OF_A_VARIANT = {"seed", *NOT_OF_A_RESULT} - {ARM}
TYPED = {"Infinity": "inf", "-Infinity": "-inf"}  # as JSON writes them -> as Hydra reads them
# These change the batches of training, as a regulariser does, and not what is learnt
_OF_TRAINING = {f"data.{key}" for key in Images.of_training}


def flat(config: Mapping[str, Any]) -> Flat:
    """The keys of a config that make a variant, as dotted names with values; without the seed."""
    found: Flat = {}

    def walk(values: Mapping[str, Any], prefix: str) -> None:
        for key, value in values.items():
            name = prefix + key
            if name in _NOT_OF_A_VARIANT or (name == ARM and value in NO_ARM):
                continue
            if isinstance(value, Mapping):
                walk(value, f"{name}.")
            else:
                found[name] = tuple(value) if isinstance(value, list) else value

    walk(config, "")
    return found


def without_kernel(variant: Flat) -> Flat:
    """The keys of a variant but that of its kernel, which changes its numbers by rounding alone."""
    return {key: value for key, value in variant.items() if key != KERNEL}


def words_of_own_option(variant: Flat, defaults: Flat, given: Collection[str]) -> list[str]:
    """Overrides that keep what a user's own option of `model=` sets when another cell is chosen.

    Args:
        given: keys of the overrides that are kept anyway.
    """
    is_solved = (variant.get("model.match"), variant.get("model.params")) != ("none", "any")
    left = {"model.name", *given, *["model.hidden"] * is_solved}
    return [
        f"{key}={typed(value)}"
        for key, value in variant.items()
        if key.startswith("model.") and key not in left
        if key in _LATER or defaults.get(key, value) != value
    ]


def task_keys(variants: Iterable[Flat]) -> list[str]:
    """Keys of `data.*` that say what is learnt: runs that differ in one cannot be compared."""
    keys = dict.fromkeys(key for variant in variants for key in variant)
    return [key for key in keys if key.startswith("data.") and key not in _OF_TRAINING]


def task_name(variant: Flat) -> str:
    """The data set of a variant: what runs on several of them are told apart by."""
    return str(variant.get("data.name", ""))


def variant_key(config: Mapping[str, Any]) -> VariantKey:
    """Hashable identity of a run's variant: equal for runs that differ only in their seed.

    Args:
        config: nested, or flat already.
    """
    # 1 and True are equal to Python, and are not the same setting
    items = sorted(flat(config).items(), key=lambda item: item[0])
    return tuple((key, type(value).__name__, value) for key, value in items)


def distinct(variants: Iterable[Flat]) -> list[Flat]:
    """Each variant once."""
    return list({variant_key(variant): variant for variant in variants}.values())


def varying(variants: Iterable[Flat]) -> list[str]:
    """Keys on which some variants differ, in the order of the configs.

    A missing key differs from every value.
    """
    variants = list(variants)
    keys = dict.fromkeys(key for variant in variants for key in variant)
    absent = object()
    keys = {ARM: None, **keys} if ARM in keys else keys
    return [key for key in keys if len({_hashable(v.get(key, absent)) for v in variants}) > 1]


def naming_keys(variants: Iterable[Flat]) -> list[str]:
    """The varying keys that a name needs, without those that arm, task, cell or optimizer imply.

    If `optimizer.name` varies and each optimizer has one `optimizer.eps`, the name is enough.
    """
    variants = list(variants)
    keys = _without_told_kernel(varying(variants), variants)
    keys = _not_told_by("data.name", _not_told_by(ARM, keys, variants), variants)
    return [key for key in keys if not _is_implied(key, keys, variants)]


def _without_told_kernel(keys: list[str], variants: Sequence[Flat]) -> list[str]:
    """Keys without that of the kernel, where the others tell all variants apart."""
    others = [key for key in keys if key != KERNEL]
    absent = object()
    told = {tuple(_hashable(v.get(key, absent)) for key in others) for v in variants}
    return others if len(told) == len(distinct(variants)) else keys


def _not_told_by(choice: str, keys: list[str], variants: list[Flat]) -> list[str]:
    """Keys without those that have one value for each value of `choice`, such as each arm."""
    if choice not in keys:
        return keys
    absent = object()
    num = len({v.get(choice) for v in variants})

    def pairs(key: str) -> set[Any]:
        return {(v.get(choice), _hashable(v.get(key, absent))) for v in variants}

    return [key for key in keys if key == choice or len(pairs(key)) > num]


def _is_implied(key: str, keys: list[str], variants: list[Flat]) -> bool:
    choice = f"{key.partition('.')[0]}.name"
    if key == choice or choice not in keys:
        return False
    pairs = {(v.get(choice), _hashable(v.get(key))) for v in variants}
    return len(pairs) == len({name for name, _ in pairs})


class BaselineRule:
    """Which variant is a variant's baseline among those of a comparison: rules 2 to 5.

    Args:
        variants: all variants of the comparison, of one data set or several.
        defaults: flat config of `conf/train.yaml` as it stands.
    """

    def __init__(self, variants: Iterable[Flat], *, defaults: Flat) -> None:
        by_task: dict[str, list[Flat]] = {}
        for variant in variants:
            by_task.setdefault(task_name(variant), []).append(variant)
        self._tasks = {task: _OneTask(own, defaults) for task, own in by_task.items()}

    def is_baseline(self, candidate: Flat, variant: Flat) -> bool:
        """Whether `candidate` is the baseline of `variant`."""
        task = task_name(variant)
        return task_name(candidate) == task and self._tasks[task].is_baseline(candidate, variant)

    def find(self, variant: Flat) -> Flat | None:
        """The baseline of a variant, or None if it is missing."""
        rule = self._tasks[task_name(variant)]
        return next((v for v in rule.variants if rule.is_baseline(v, variant)), None)


class _OneTask:
    """The rule among the variants of one data set."""

    def __init__(self, variants: list[Flat], defaults: Flat) -> None:
        self.variants, self._defaults = variants, defaults
        self._has_arms = any(ARM in v for v in self.variants)
        self._has_cells = any(v["model.name"] != BASELINE_CELL for v in self.variants)
        self._has_starts = is_by_start(self.variants)
        without_arm = (v for v in self.variants if ARM not in v)
        among = list(without_arm) if self._has_arms else self.variants
        self._grid = set(_without_told_kernel(varying(among), among))

    def is_baseline(self, candidate: Flat, variant: Flat) -> bool:
        if self._has_arms:
            return self._is_baseline_of_arm(candidate, variant)
        if self._has_starts:
            return without_kernel(candidate) == without_kernel(anew(variant))
        if self._has_cells:
            return _is_baseline_cell(candidate, variant, self._defaults)
        absent = object()
        # What is torch by default is a choice, which each variant has made
        defaults = without_kernel(self._defaults)
        return all(candidate.get(k, absent) == defaults.get(k, absent) for k in self._grid)

    def _is_baseline_of_arm(self, candidate: Flat, variant: Flat) -> bool:
        if ARM in candidate:
            return False
        if ARM not in variant:
            return candidate == variant
        grid = self._grid - _solved(variant)
        return all(candidate.get(k) == variant.get(k) for k in grid)


def is_by_start(variants: Collection[Flat]) -> bool:
    """Whether variants are compared with those that start anew."""
    has_source = any(SOURCE in variant for variant in variants)
    return has_source and all(v["model.name"] != BASELINE_CELL for v in variants)


def anew(variant: Flat) -> Flat:
    """The variant as it is without weights of another run, and with nothing frozen."""
    return {key: value for key, value in variant.items() if key not in START}


def _is_baseline_cell(candidate: Flat, variant: Flat, defaults: Flat) -> bool:
    if candidate["model.name"] != BASELINE_CELL:
        return False
    keys = (candidate.keys() & variant.keys()) - {"model.name"} - _solved(variant)
    shared = {k for k in keys if not k.startswith("model.") or k in OF_ALL_CELLS}
    own = {k for k in candidate if k.startswith("model.")} - OF_ALL_CELLS
    return (
        all(candidate[k] == variant[k] for k in shared)
        and not _LATER & (candidate.keys() ^ variant.keys())
        and all(candidate[k] == defaults.get(k, candidate[k]) for k in own)
    )


def _solved(variant: Flat) -> set[str]:
    """`model.hidden`, if it was solved from a size that was asked for."""
    is_sized = (variant.get("model.match", "none"), variant.get("model.params", "any")) != (
        "none",
        "any",
    )
    return {"model.hidden"} if is_sized else set()


def title(variant: Flat, keys: Iterable[str]) -> str:
    """Short name of a variant by the keys that vary: "gru, hidden=64"."""
    keys = list(keys)
    if not keys:
        return str(variant.get("model.name", "run"))
    parts = []
    for key in keys:
        if key == ARM:
            parts.append(str(variant.get(ARM, "baseline")))
            continue
        if key not in variant:
            continue
        value = shown(variant[key])
        last = key.rsplit(".", 1)[-1]
        is_clear = sum(other.rsplit(".", 1)[-1] == last for other in keys) == 1
        parts.append(value if last == "name" else f"{last if is_clear else key}={value}")
    return ", ".join(parts)


def shown(value: object) -> str:
    """A config value with few digits, for tables and names."""
    return _written(value, "g")


def typed(value: object) -> str:
    """A config value in full, as a user types it on a command line."""
    return _written(value, "")


def _written(value: object, digits: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return "[" + ",".join(_written(v, digits) for v in value) + "]"
    text = format(value, digits) if isinstance(value, float) else str(value)
    return TYPED.get(text, text)


def _hashable(value: Any) -> Any:
    # 1 and True are equal to Python, and are not the same setting
    return (type(value).__name__ if isinstance(value, bool) else "", value)
