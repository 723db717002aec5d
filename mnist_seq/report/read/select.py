"""Selects the runs of a comparison, and refuses runs that must not be compared."""

import shlex
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from mnist_seq.config.messages import suggestion
from mnist_seq.report.read.errors import CannotCompare
from mnist_seq.report.read.run import Run
from mnist_seq.runs.text import plural
from mnist_seq.runs.variants import TYPED, task_keys, typed, variant_key

Duplicates = Literal["refuse", "first"]

# with unequal budgets (steps), runs differ for another reason than their cells
BUDGET_KEYS = ("training.epochs", "training.updates", "training.early_stop")
# keys of run.json; the config alone does not tell which data were read
DATA_KEYS = (
    "data.data",
    "data.fingerprint",
    "data.permutation_hash",
    "data.num_train",
    "data.num_test",
)
_ENDED = {"finished": 0, "diverged": 0, "unreadable": 1, "failed": 2, "interrupted": 3}


def title_of(sources: Sequence[Path]) -> str:
    """The names of the sweeps; if the sources are runs, the name of their folder."""
    places = [source.resolve() for source in sources]
    are_runs = all((place / "run.json").exists() for place in places)
    if are_runs and len(places) > 1 and len({place.parent for place in places}) == 1:
        return places[0].parent.name
    return " + ".join(place.name for place in places)


def parse_filter(text: str, key: str) -> dict[str, tuple[str, ...]]:
    """Read a filter such as 'model=lstm,gru model.hidden=64': keys with their accepted values.

    The name of a group means its option: `model=lstm` is `model.name=lstm`.

    Args:
        key: the config key with the text, for the error.

    Raises:
        CannotCompare: a word that is not key=value.
    """
    wanted = {}
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise CannotCompare(f"{key} is a list of key=value: {key}={text!r}: {error}") from None
    for word in words or [""]:
        name, equals, value = word.partition("=")
        if not (name and equals and value):
            raise CannotCompare(
                f'{key} is a list of key=value: {key}={text!r}; write "{key}=model=lstm '
                'model.hidden=64"'
            )
        wanted[name] = tuple(value.split(",")) if not value.startswith("[") else (value,)
    return wanted


def matches(values: dict[str, Any], wanted: dict[str, tuple[str, ...]]) -> bool:
    """Whether a filter accepts a run."""
    return all(
        any(_is_same(values.get(key, values.get(f"{key}.name")), text) for text in texts)
        for key, texts in wanted.items()
    )


def keep_where(runs: Sequence[Run], where: str) -> tuple[Run, ...]:
    """The runs that a filter accepts; "all" accepts every run.

    Raises:
        CannotCompare: no run has the key, or no run is left.
    """
    if where == "all":
        return tuple(runs)
    wanted = parse_filter(where, "where")
    known = {key for run in runs for key in run.values}
    for key in wanted:
        if key not in known and f"{key}.name" not in known:
            hint = suggestion(key, known) or f"; the keys are {', '.join(sorted(known))}"
            raise CannotCompare(f"where names keys of the runs' configs: no run has {key}{hint}")
    kept = tuple(run for run in runs if matches(dict(run.values), wanted))
    if not kept:
        raise CannotCompare(
            f"a comparison needs runs, and of {len(runs)} none has where={where!r}; see the values "
            "that there are with where=all"
        )
    return kept


def drop_duplicates(
    runs: Sequence[Run], value: Callable[[Run], float | None], duplicates: Duplicates
) -> tuple[tuple[Run, ...], tuple[str, ...]]:
    """Keep one of the runs with equal config and seed, because they are one measurement.

    A run that ended is preferred. If two ended with equal values, one is kept. If their values
    differ, they are refused: a choice between them could bias the result.

    Returns:
        The kept runs in their order, and a note on the others.

    Raises:
        CannotCompare: two runs of one identity ended differently, and `duplicates` is "refuse".
    """
    once, twice = _once(runs, [run.identity for run in runs], value, duplicates)
    # the hash is over text, in which -0.0 and 0.0 differ
    keys = [(variant_key(run.variant), run.seed) for run in once]
    once, more = _once(once, keys, value, duplicates)
    return tuple(once), _twice_note([*twice, *more])


def _once(
    runs: Sequence[Run],
    keys: Sequence[Hashable],
    value: Callable[[Run], float | None],
    duplicates: Duplicates,
) -> tuple[list[Run], list[tuple[Run, Run]]]:
    """One run for each key; and pairs (kept run, dropped run)."""
    kept: dict[Hashable, Run] = {}
    twice: list[tuple[Run, Run]] = []
    for key, run in zip(keys, runs, strict=True):
        other = kept.setdefault(key, run)
        if other is run:
            continue
        a, b = _ENDED[other.state], _ENDED[run.state]
        if a == b == 0 and duplicates == "refuse":
            _refuse_unequal(other, run, value)
        winner, loser = (run, other) if b < a else (other, run)
        kept[key] = winner
        twice.append((winner, loser))
    order = {id(run) for run in kept.values()}
    return [run for run in runs if id(run) in order], twice


def _twice_note(twice: Sequence[tuple[Run, Run]]) -> tuple[str, ...]:
    if not twice:
        return ()
    what = f"{plural(len(twice), 'run')} {'is' if len(twice) == 1 else 'are'}"
    such_as = "" if len(twice) == 1 else "such as "
    winner, loser = twice[0]
    return (
        f"{what} there twice (equal config and seed), {such_as}{loser.folder} ({loser.state}): "
        f"{winner.folder} ({winner.state}) counts in its place",
    )


def check_comparable(runs: Sequence[Run]) -> None:
    """Refuse to mix data sets, splits, permutations, training-set sizes or budgets.

    Raises:
        CannotCompare: names the key, its values and how many runs have each.
    """
    for key in (*task_keys(run.variant for run in runs), *BUDGET_KEYS, *DATA_KEYS):
        _check_one(key, runs, lambda run, key=key: run.values.get(key), "")  # type: ignore[misc]
    for seed in sorted({run.seed for run in runs}):
        same = [run for run in runs if run.seed == seed]
        _check_one("data.split", same, lambda run: run.values.get("data.split"), f" at seed {seed}")


def _check_one(key: str, runs: Iterable[Run], value: Callable[[Run], Any], where: str) -> None:
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(_text(value(run)), []).append(run)
    if len(found) < 2:
        return
    shown = ", ".join(
        f"{text[:16] or 'none'} ({plural(len(group), 'run')}, such as {group[0].folder.name})"
        for text, group in found.items()
    )
    first = next(iter(found)) or "<value>"
    raise CannotCompare(
        f"runs are compared on one task and one budget, but {key} differs{where}: {shown}; compare "
        f"each on its own: where='{key}={first}'"
    )


def _refuse_unequal(a: Run, b: Run, value: Callable[[Run], float | None]) -> None:
    if a.state == b.state and value(a) == value(b):
        return
    raise CannotCompare(
        f"equal config and seed must give one result, but {a.folder} is {a.state} with {value(a)} "
        f"and {b.folder} is {b.state} with {value(b)}; leave one folder out, or let the one named "
        "first count: duplicates=first"
    )


def _is_same(value: Any, text: str) -> bool:
    if _text(value) == text:
        return True
    is_number = value in TYPED if isinstance(value, str) else isinstance(value, int | float)
    if isinstance(value, bool) or not is_number:
        return False
    try:
        return float(text) == float(value)
    except ValueError:
        return False


def _text(value: Any) -> str:
    return "" if value is None else typed(value)
