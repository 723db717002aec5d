"""Norms of weights and of their gradients, as `training.diagnostics=norms` logs them."""

from collections.abc import Sequence
from dataclasses import dataclass

from mnist_seq.report import wording
from mnist_seq.report.charts.figure import Drawing, Figure
from mnist_seq.report.charts.lines import SEEDS, Axes, panels_of
from mnist_seq.report.charts.page.multiples import Frame, curves
from mnist_seq.report.read.logged import (
    Row,
    by_step,
    earliest,
    is_odd,
    latest,
    median,
    not_finite,
    number,
    over_seeds,
)
from mnist_seq.report.sections import Inputs, Section, Table
from mnist_seq.report.texts import fmt
from mnist_seq.report.value import Point, Report

GRADIENT, WEIGHT, ALL = "gradient_norm/", "weight_norm/", "all"
MOST_ROWS = 200  # of the table of single weights
_WHERE = "on 64 training examples at most, without dropout and before any clipping"


@dataclass(frozen=True)
class OfWeight:
    """Medians over seeds of one weight's norms at the last evaluation."""

    name: str
    gradient: float
    weight: float


@dataclass(frozen=True)
class Normed:
    """Norms of one variant's n finished runs: medians over seeds by training step.

    Attributes:
        num_not_finite: of the n, runs that logged a norm that is not finite.
        gradient, weight: over all weights; low and high are the smallest and largest seed's.
        first, last: medians of (gradient, weight) over all at each run's first and last evaluation.
        each: of every weight that all runs have.
    """

    variant: int
    n: int
    num_not_finite: int
    gradient: tuple[Point, ...]
    weight: tuple[Point, ...]
    first: tuple[float, float]
    last: tuple[float, float]
    each: tuple[OfWeight, ...]


@dataclass(frozen=True)
class Found:
    """The variants of which at least one finished run has norms."""

    variants: tuple[Normed, ...]


class Norms(Section[Found]):
    """Needs runs of `training.diagnostics=norms` or `all`."""

    order = 92.0
    figures = ("norms",)
    logged = (GRADIENT + ALL, WEIGHT + ALL)
    heading = "Norms of gradients and weights"
    lead = "A line of the gradient that climbs by decades is a gradient that explodes."

    def compute(self, inputs: Inputs) -> Found | None:
        """Medians over the seeds of each variant."""
        found = []
        for place, group in enumerate(inputs.groups):
            runs = [[row for row in run.history if GRADIENT + ALL in row] for run in group.finished]
            if runs := [rows for rows in runs if rows]:
                found.append(_normed(place, runs))
        return Found(tuple(found)) if found else None

    def tables(self, report: Report, part: Found) -> Sequence[Table]:
        """Of all weights together at the first and the last evaluation, then of each weight."""
        rows = tuple(
            (report.variants[d.variant].label, str(d.n),
             *map(wording.small, (d.first[0], d.last[0], d.first[1], d.last[1])),
             max((own.gradient, own.name) for own in d.each)[1] if d.each else wording.NONE)
            for d in part.variants
        )  # fmt: skip
        header = ("variant", "n", "gradient, first evaluation", "last", "weights, first evaluation",
                  "last", "largest gradient at the last")  # fmt: skip
        caption = (
            f"Euclidean norms over all trained weights, and of the loss's gradient, {_WHERE}; "
            "medians over seeds. The last column names the weight with the largest one."
        )
        found = [Table("Norms", header, rows, caption + _lost(report, part))]
        each = tuple(
            (report.variants[d.variant].label, own.name, wording.small(own.gradient),
             wording.small(own.weight))
            for d in part.variants
            for own in d.each
        )  # fmt: skip
        if 0 < len(each) <= MOST_ROWS:
            caption = "Euclidean norms at the last evaluation, medians over seeds."
            titles = ("variant", "weight", "gradient", "norm")
            found.append(Table("Norms of each weight", titles, each, caption, name="each-norm",
                               formats=("html", "markdown")))  # fmt: skip
        return found

    def drawn(self, report: Report, part: Found) -> Sequence[Drawing]:
        """Both norms by update."""
        seeds = "Logarithmic. Line: median over seeds; band: smallest to largest seed."
        frame = Frame("updates", "", fmt.significant, is_log_y=True)
        gradient = f"Euclidean norm of the loss's gradient {_WHERE}. {seeds}{_lost(report, part)}"
        return [
            Drawing("Norm of the gradient", curves(report, _gradients(part), frame), gradient),
            Drawing("Norm of the weights", curves(report, _weights(part), frame),
                    f"Euclidean norm of all trained weights. {seeds}"),
        ]  # fmt: skip

    def charts(self, report: Report, part: Found) -> Sequence[Figure]:
        """Both norms by training step, one panel each for each family of variants."""
        panels = (
            *panels_of(report, _gradients(part), Axes("training (steps)", "gradient norm",
                                                      is_log_y=True)),
            *panels_of(report, _weights(part), Axes("training (steps)", "weight norm",
                                                    is_log_y=True)),
        )  # fmt: skip
        caption = (
            f"Euclidean norms of the loss's gradient ({_WHERE}) and of all trained weights; "
            f"{SEEDS}; 0 has no place on this axis.{_lost(report, part)}"
        )
        return [Figure("norms", "Norms of gradients and weights", caption, panels)]


def _gradients(part: Found) -> dict[int, Sequence[Point]]:
    return {d.variant: d.gradient for d in part.variants}


def _weights(part: Found) -> dict[int, Sequence[Point]]:
    return {d.variant: d.weight for d in part.variants}


def _lost(report: Report, part: Found) -> str:
    labels = [report.variants[d.variant].label for d in part.variants]
    return not_finite(
        (label, d.num_not_finite, d.n) for label, d in zip(labels, part.variants, strict=True)
    )


def _normed(place: int, runs: Sequence[Sequence[Row]]) -> Normed:
    gradients, weights = (
        [by_step(rows, kind + ALL) for rows in runs] for kind in (GRADIENT, WEIGHT)
    )
    names = [
        name.removeprefix(GRADIENT)
        for name in runs[0][-1]
        if name.startswith(GRADIENT) and all(name in rows[-1] for rows in runs)
    ]
    each = (
        OfWeight(name, *(median([number(rows[-1].get(kind + name)) for rows in runs])
                         for kind in (GRADIENT, WEIGHT)))
        for name in names
        if name != ALL
    )  # fmt: skip
    return Normed(
        variant=place,
        n=len(runs),
        num_not_finite=sum(any(is_odd(row, (GRADIENT, WEIGHT)) for row in rows) for rows in runs),
        gradient=over_seeds(gradients),
        weight=over_seeds(weights),
        first=(median(list(map(earliest, gradients))), median(list(map(earliest, weights)))),
        last=(median(list(map(latest, gradients))), median(list(map(latest, weights)))),
        each=tuple(each),
    )
