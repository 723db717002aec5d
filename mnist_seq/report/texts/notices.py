"""What weakens an answer: what happened, what it does to the answer, and the command that helps."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mnist_seq.report.sections.facts import Facts
from mnist_seq.report.sections.learning_curves import LearningCurves
from mnist_seq.report.texts import fmt, words
from mnist_seq.report.value import Report, RunRow, Variant
from mnist_seq.runs.text import cut, plural

_NAMED = 4  # runs that a notice names
_HEAD = 110  # longest bold beginning


@dataclass(frozen=True)
class Notice:
    """One notice.

    Attributes:
        title: what happened; `text`: what it does to the answer.
        command: that helps, with `about` it; "" where there is none.
    """

    kind: Literal["failed", "caution"]
    title: str
    text: str
    command: str = ""
    about: str = ""


def notices(report: Report) -> list[Notice]:
    """All notices: what failed first, then what is missing, then what to be careful of."""
    found = [
        *_undone(report),
        *_lost(report),
        *_missing(report),
        *map(_caution, report.warnings),
        *_rising(report),
    ]
    found += _of_tasks(report)
    return sorted(found, key=lambda notice: notice.kind != "failed") if report.tasks else found


def _of_tasks(report: Report) -> list[Notice]:
    """The notices of several tasks; what is the case on each of them is said once."""
    tasks: dict[Notice, list[str]] = {}
    for task, own in report.tasks.items():
        for notice in notices(own):
            tasks.setdefault(notice, []).append(words.data(task))
    found = []
    for notice, names in tasks.items():
        is_all = len(names) == len(report.tasks)
        where = "On each task" if is_all else fmt.joined(names)
        found.append(replace(notice, title=f"{where}: {notice.title}"))
    return found


def _undone(report: Report) -> list[Notice]:
    """That a sweep is not complete."""
    if not report.undone:
        return []
    verb = "is" if report.undone.startswith("1 ") else "are"
    is_judged = not any(v.word == "so far" for v in report.variants)
    text = "These are verdicts so far." if is_judged and report.num_comparisons else (
        "What stands here is so far, and no verdict."
    )  # fmt: skip
    about = "Command that goes on with the sweep"
    title = f"{report.undone} {verb} not done."
    return [Notice("caution", title, text, report.asked.command(), about)]


def _rising(report: Report) -> list[Notice]:
    """That training ended while the baseline still got better."""
    curves = LearningCurves.of(report)
    if curves is None or not curves.rising:
        return []
    found = max(curves.rising, key=lambda one: one.gain)
    size = fmt.number(found.gain, words.decimals_of(report))
    unit = curves.metric.points
    name = words.labels(report)[found.variant]
    return [
        Notice(
            "caution",
            "Training ended while the baseline still got better.",
            f"{name} gained {size}{f' {unit}' if unit else ''} of {curves.metric.label} over its "
            f"last {fmt.count(found.updates)} updates; with longer training the order of the "
            "variants may be another one.",
            _longer(report),
            "Command that trains four times as long",
        )
    ]


def _longer(report: Report) -> str:
    known = Facts.of(report)
    if known is None or not known.epochs:
        return ""
    changes = {
        "training.epochs": f"{4 * known.epochs:g}",
        "sweep.name": f"{report.asked.folder.name}-long",
    }
    return report.asked.command(changes)


def _lost(report: Report) -> list[Notice]:
    found = []
    names = words.labels(report)
    consequences = {
        "failed": "{} compared on fewer seeds than planned, so the interval is wider.",
        "interrupted": "{} compared on the other seeds; the sweep's command goes on.",
        "unreadable": "{} compared on the other seeds; the list of all runs names the folders.",
        "diverged": "A run that diverges has no value: {} judged twice, without the run and with "
        "the run counted as a guess.",
    }
    for state, what in consequences.items():
        runs = [run for run in report.runs if run.state == state and not _is_pruned(run)]
        if not runs:
            continue
        variants = list(dict.fromkeys(names[run.variant] for run in runs))
        verb = "is" if len(variants) == 1 else "are"
        which = fmt.joined(variants) if len(variants) <= _NAMED else f"{len(variants)} variants"
        command = "" if state in ("diverged", "unreadable") else report.asked.command()
        found.append(
            Notice(
                "failed" if state in ("failed", "unreadable") else "caution",
                f"{plural(len(runs), 'run')} {_verb(state)}: {_named(runs, names)}.",
                what.format(f"{which} {verb}"),
                command,
                "Command that runs only what is missing",
            )
        )
    return found


def _verb(state: str) -> str:
    return {"interrupted": "did not end", "unreadable": "cannot be read"}.get(state, state)


def _is_pruned(run: RunRow) -> bool:
    """Whether its search stopped it, which is no loss: the section on the search counts it."""
    return run.state == "interrupted" and run.reason.startswith("pruned ")


def _named(runs: Sequence[RunRow], names: dict[int, str]) -> str:
    """The runs; those of one variant that have one reason together."""
    seeds: dict[tuple[str, str], list[int]] = {}
    for run in runs:
        seeds.setdefault((names[run.variant], run.reason), []).append(run.seed)
    texts = [
        f"{name}, seed{'s' * (len(own) > 1)} {fmt.ranges(own)}"
        f"{f' ({cut(reason)})' if reason else ''}"
        for (name, reason), own in list(seeds.items())[:_NAMED]
    ]
    more = sum(len(own) for own in list(seeds.values())[_NAMED:])
    return "; ".join(texts) + (f"; and {more} more" if more else "")


def _missing(report: Report) -> list[Notice]:
    return [
        Notice(
            "caution",
            f"Missing: {missing.what}, seed {fmt.ranges(missing.seeds)}.",
            "Seeds without a run of the baseline are in no pair.",
            missing.command,
            "Command that adds it",
        )
        for missing in report.missing
    ]


def _caution(text: str) -> Notice:
    """A warning: what is the case in bold, then what follows from it."""
    ends = [at + 1 for mark in (": ", "; ", ", so ") if 0 < (at := text.find(mark)) < _HEAD]
    if not ends:
        return Notice("caution", f"{_capital(text)}.", "")
    end = min(ends)
    return Notice("caution", _capital(text[:end]), f"{text[end:].strip()}.")


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


@dataclass(frozen=True)
class Step:
    """What would settle more, and the command that does it; "" where it is not known."""

    text: str
    command: str


def next_step(report: Report) -> Step | None:
    """The open comparison that takes the fewest seeds; None where nothing is open."""
    names = words.labels(report)
    open_ones = [
        (needed, v)
        for v in report.variants
        if v.compared and words.verdict(v) == "undecided"
        if (needed := seeds_needed(v)) is not None
    ]
    if not open_ones:
        return _more_seeds(report)
    needed, v = min(open_ones, key=lambda entry: entry[0])
    assert v.compared is not None
    size = fmt.signed(v.compared.comparison.difference, words.decimals_of(report))
    num = report.num_comparisons
    for_all = f", allowing for all {num} comparisons" if num > 1 else ""
    text = (
        f"Cheapest open question: {names[v.key]}. If its true difference is the "
        f"{words.points(report, size)} seen here, {needed:,} seeds in all would show it in "
        f"{fmt.percent(report.rule.power)} of repetitions{for_all}."
    )
    return Step(text, report.asked.command({"seed": f"range({needed})"}))


def _more_seeds(report: Report) -> Step | None:
    is_open = any(v.word == "too few seeds" for v in report.variants)
    if not is_open:
        return None
    text = "A verdict takes 2 seeds on both sides, and an interval that is of use about 5."
    return Step(text, report.asked.command({"seed": "range(5)"}))


def seeds_needed(v: Variant) -> int | None:
    """How many seeds in all would show the difference that was seen; None where nobody knows."""
    if v.compared is None:
        return None
    needed = float(v.compared.verdict.needed_seeds or math.nan)
    return int(needed) if math.isfinite(needed) and needed > v.n else None
