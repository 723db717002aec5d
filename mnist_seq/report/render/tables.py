"""The smaller tables of a report as text, one for all renderings."""

from dataclasses import dataclass

from mnist_seq.report import wording
from mnist_seq.report.value import Report


@dataclass(frozen=True)
class Table:
    """Rows of text under a header; the first column names what a row is about."""

    name: str
    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str


def choices(report: Report) -> Table | None:
    """What was chosen on validation; None where nothing was."""
    chosen = [(v, v.choice) for v in report.variants if v.choice is not None]
    if not chosen:
        return None
    assert report.selector is not None
    d = report.selector.decimals
    label = _with_unit(report.selector.label, report.selector.unit)
    rows = tuple(
        (v.name, c.text, wording.number(c.value, d), wording.number(c.runner_up, d), str(c.n),
         "; ".join(c.remarks) or wording.NONE)
        for v, c in chosen
    )  # fmt: skip
    return Table(
        "chosen",
        "Chosen on validation",
        ("variant", "chosen", label, "next best", "seeds", "remarks"),
        rows,
        "The choice used validation only: the mean over seeds, of the combinations of values with "
        "the most seeds; a run that diverged counts as a guess. Test is read at the chosen values "
        "alone.",
    )


def reached(report: Report) -> Table | None:
    """How many seeds reached each threshold, and when; None without validation."""
    thresholds = [reached.threshold for reached in report.variants[0].reached]
    if not thresholds or not any(r.n for v in report.variants for r in v.reached):
        return None
    header = ["variant"]
    for threshold in thresholds:
        header += [f"{wording.percent(threshold)} valid accuracy", "median seconds"]
    rows = tuple(
        (v.name, *(t for r in v.reached for t in (r.text, wording.number(r.median, 1))))
        for v in report.variants
    )
    return Table(
        "reached",
        "Time to accuracy",
        tuple(header),
        rows,
        "Training time at the first evaluation with this accuracy. The median counts a seed that "
        "never reached it as later than any other; ∞: half or more never did.",
    )


def watched(report: Report) -> Table | None:
    """What the diagnostics showed last; None where none were logged."""
    if not report.watched:
        return None
    rows = tuple(
        (report.variants[w.variant].name, str(w.n), *map(wording.small, (*w.ends, w.reach)),
         wording.number(w.saturated[-1].value, 1) if w.saturated else wording.NONE,
         wording.number(w.first, 2), wording.number(w.last, 2),
         wording.number(w.drift[-1].value, 2) if w.drift else wording.NONE)
        for w in report.watched
    )  # fmt: skip
    return Table(
        "watched",
        "Diagnostics",
        ("variant", "n", "gradient at the first step", "at the last", "first / last",
         "saturated gates, %", "norm of h, first step", "last", "last / first"),
        rows,
        "At the last evaluation, on 64 training examples at most, medians over seeds: norm of the "
        "gradient of the loss with respect to the state at the first and the last time step; share "
        "of gate values nearer than 0.05 to 0 or 1; norm of the hidden state."
        + wording.not_finite(report.watched, report.variants),
    )  # fmt: skip


def searches(report: Report) -> Table | None:
    """Expected best value against the number of trials; None without a search."""
    found = report.search
    if found is None:
        return None
    rows = []
    for curve in found.curves:
        cells = []
        for n in found.budgets:
            point = curve.best[n - 1] if n <= curve.num_trials else None
            cells.append(
                wording.NONE
                if point is None
                else f"{wording.number(point.value, found.decimals)} "
                f"({wording.number(point.low, found.decimals)} to "
                f"{wording.number(point.high, found.decimals)})"
            )
        rows.append((curve.name, curve.about, *cells))
    trials = tuple(f"{n} trial{'s' * (n > 1)}" for n in found.budgets)
    return Table(
        "search",
        f"Expected best {_with_unit(found.label, found.unit)} of a search",
        ("search", "sampler", *trials),
        tuple(rows),
        f"Mean best of so many trials, and one standard deviation of it to either side, after "
        f"Dodge et al. 2019 (biased estimator, arXiv:1909.03004); {found.assumption}.",
    )


def importances(report: Report) -> list[Table]:
    """Which hyper-parameters matter, one table a search."""
    return [
        Table(
            "importance",
            f"Importance of hyper-parameters: {found.name}",
            ("key", "share of the variance, %", "range over forests, %"),
            tuple(
                (key, wording.number(100 * share, 1),
                 f"{wording.number(100 * low, 1)} to {wording.number(100 * high, 1)}")
                for key, share, low, high in found.shares
            ),
            f"{found.about}.",
        )
        for found in report.importances
    ]  # fmt: skip


def further(report: Report) -> list[Table]:
    """What was chosen, searched for and watched: all but the time to accuracy."""
    found = [choices(report), searches(report), *importances(report), watched(report)]
    return [table for table in found if table is not None]


def _with_unit(label: str, unit: str) -> str:
    return f"{label}, {unit}" if unit else label
