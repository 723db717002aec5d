"""Runs by variant, in the order of every table and figure, each with its baseline."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mnist_seq.config.paths import keys_of_option, options
from mnist_seq.config.text import in_one_line
from mnist_seq.report.charts import style
from mnist_seq.report.options import AUTO
from mnist_seq.report.read.errors import CannotCompare
from mnist_seq.report.read.run import Run
from mnist_seq.report.read.select import matches, parse_filter
from mnist_seq.runs.commands import named_by, override, to_add, unknown_word
from mnist_seq.runs.sweep_folder import SWEEPS, SweepFolder
from mnist_seq.runs.variants import (
    BASELINE_CELL,
    BaselineRule,
    Flat,
    naming_keys,
    title,
    variant_key,
)


@dataclass(frozen=True)
class Group:
    """The runs of one variant, by seed.

    Attributes:
        variant: without the keys that were tuned.
        baseline: position of its baseline among the groups; None where it is missing.
    """

    name: str
    cell: str
    variant: Flat
    runs: tuple[Run, ...]
    baseline: int | None

    @property
    def finished(self) -> tuple[Run, ...]:
        """Its runs that ended with a result, none of them diverged."""
        return tuple(run for run in self.runs if run.state == "finished")


def group(
    runs: Sequence[Run], *, baseline: str, defaults: Flat, tuned: Collection[str] = ()
) -> tuple[list[Group], tuple[str, ...]]:
    """The variants, each baseline before those compared with it; and the keys in their names.

    Args:
        baseline: "auto" for the rule of `runs.variants`, or 'model=lstm model.hidden=64'.
        defaults: flat config of `conf/train.yaml` without overrides.
        tuned: keys that were tuned; they do not make a variant.

    Raises:
        CannotCompare: the text of `baseline` matches no variant, or more than one.
    """
    found: dict[tuple[Any, ...], list[Run]] = {}
    by_identity: dict[tuple[Any, ...], Flat] = {}
    for run in runs:
        variant = {key: value for key, value in run.variant.items() if key not in tuned}
        identity = variant_key(variant)
        found.setdefault(identity, []).append(run)
        by_identity.setdefault(identity, variant)
    variants = list(by_identity.values())
    keys = tuple(naming_keys(variants))
    if "model.name" not in keys and all(v["model.name"] != BASELINE_CELL for v in variants):
        keys = ("model.name", *keys)  # the missing baseline has another cell
    by_hand = None if baseline == AUTO else _by_hand(baseline, variants, keys, runs)
    rule, chosen = BaselineRule(variants, defaults=defaults), {}
    for key, variant in by_identity.items():
        own = by_hand or rule.find(variant)
        chosen[key] = None if own is None else variant_key(own)
    order = _ordered(by_identity, chosen, keys)
    places = {key: place for place, key in enumerate(order)}
    groups = []
    for key in order:
        members = tuple(sorted(found[key], key=lambda run: run.seed))
        assert len({run.seed for run in members}) == len(members), f"{key}: one seed counts twice"
        variant, own_key = by_identity[key], chosen[key]
        groups.append(
            Group(
                name=title(variant, keys),
                cell=str(variant["model.name"]),
                variant=variant,
                runs=members,
                baseline=None if own_key is None else places[own_key],
            )
        )
    return groups, keys


def _ordered(
    variants: Mapping[tuple[Any, ...], Flat], chosen: Mapping[Any, Any], keys: Sequence[str]
) -> list[tuple[Any, ...]]:
    """The order of variants: by family, in it the baseline first, then by cell and settings."""
    rest = [key for key in keys if key != "model.name"]

    def place(variant: Flat) -> tuple[Any, ...]:
        family = [sortable(variant.get(key)) for key in rest]
        return family, style.cell_place(str(variant["model.name"])), str(variant["model.name"])

    def family_first(own: tuple[Any, ...]) -> tuple[Any, ...]:
        head = own if chosen[own] is None else chosen[own]
        return (*place(variants[head]), chosen[own] != own, *place(variants[own]))

    return sorted(variants, key=family_first)


def reordered(groups: Sequence[Group], order: Sequence[int]) -> list[Group]:
    """The groups in another order; the positions of their baselines follow."""
    new = {old: place for place, old in enumerate(order)}
    return [
        replace(groups[old], baseline=None if (b := groups[old].baseline) is None else new[b])
        for old in order
    ]


def _by_hand(text: str, variants: Sequence[Flat], keys: Sequence[str], runs: Sequence[Run]) -> Flat:
    wanted = parse_filter(text, "baseline")
    found = [variant for variant in variants if matches(variant, wanted)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(title(variant, keys) for variant in (found or variants))
    if found:
        raise CannotCompare(
            f"a baseline is one variant, and baseline={text!r} is {len(found)} of them: {names}; "
            "add "
            f"what tells them apart ({', '.join(keys)})"
        )
    seeds = sorted({run.seed for run in runs})
    words = [f"{key}={values[0]}" for key, values in wanted.items()]
    drop = {*wanted, *_keys_of_others(runs[0], words)}
    raise CannotCompare(
        f"a baseline is one of the variants, and baseline={text!r} is none of them: {names}; add "
        "it: "
        f"{command(runs[0], words, seeds=seeds, drop=drop)}"
    )


def _keys_of_others(run: Run, words: Sequence[str]) -> set[str]:
    """Keys of a run's overrides that options chosen in their place lack."""
    lost: set[str] = set()
    typed = {_override_key(str(word)) for word in run.record.get("overrides", [])}
    for group, _, name in (word.partition("=") for word in words):
        if name in options(group):  # a user's own is not read here
            known = keys_of_option(group, name)
            lost |= {key for key in typed if key.startswith(f"{group}.") and key not in known}
    return lost


def command(
    run: Run, words: Sequence[str], *, seeds: Sequence[int], drop: Collection[str] = ()
) -> str:
    """The command that trains other runs as one was trained, in its sweep unless that is a search.

    A comment of the shell instead, where the run's overrides are none of ours.

    Args:
        run: its overrides are kept, but for those of the keys in `drop`.
        words: overrides in their place.
    """
    sweep = str(run.values.get("sweep.name", ""))
    given = [str(word) for word in run.record.get("overrides", [])]
    # What pairs and excludes the values of that sweep says nothing of the runs that are added
    left = {*drop, "seed", "sweep.name", "sweep.zip", "sweep.exclude", "sweep.stale",
            "sweep.baseline"}  # fmt: skip
    kept = [word for word in given if _override_key(word) not in left and not _is_account(word)]
    naming = {*words, *run.folder.name.split(",")}
    asked = named_by([*kept, *words], [word for word in (*kept, *words) if word in naming])
    asked += [f"seed={','.join(map(str, seeds))}", "sweep.baseline=none"]
    # A search would take them for its own trials
    if not (is_search := SweepFolder(run.folder.parent).is_search()):
        asked.append(override("sweep.name", sweep))
    unknown = unknown_word(asked)
    if unknown is not None:
        why = f"{run.folder / 'run.json'} has an override that is none of ours, {unknown}"
        return f"# no command: {in_one_line(why)}"
    if not is_search:
        asked += _place(run, sweep)
    return to_add(asked, run.folder, is_search=is_search)


def _place(run: Run, sweep: str) -> list[str]:
    """The sweep's folder, where it is not the one that its name gives."""
    folder = run.folder.parent
    if folder.resolve() == (SWEEPS / sweep).resolve() or folder.name != sweep:
        return []
    return [override("hydra.sweep.dir", str(folder))]


def _is_account(word: str) -> bool:
    """Whether an override names an account of W&B: a record of others may name theirs."""
    key, _, value = word.partition("=")
    key = key.lstrip("+~")
    return key == "tracker.entity" or (key == "tracker" and "{" in value)


def _override_key(word: str) -> str:
    return word.lstrip("+~").partition("=")[0]


def sortable(value: Any) -> tuple[int, float, str]:
    """Orders values of any type: numbers first."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 1, 0.0, str(value)
    return 0, float(value), ""
