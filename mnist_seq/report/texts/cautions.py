"""Sentences on how far the numbers of a report reach."""

import math
from collections.abc import Sequence

from mnist_seq.report import wording
from mnist_seq.report.analyse.grouping import Group
from mnist_seq.report.read.metric import Metric
from mnist_seq.report.texts import words
from mnist_seq.report.value import Pair, Variant
from mnist_seq.runs.text import plural
from mnist_seq.runs.variants import BASELINE_CELL, shown
from mnist_seq.stats import Rule

# Keys of what is around a recurrence, and what they are where a run does not have them
_SURROUNDINGS = {
    "model.readout": "last",
    "model.block": "none",
    "model.norm": "layer",
    "model.conv": 0,
    "model.after": "none",
    "model.projection": 0,
    "model.readout_norm": "none",
    "model.head": (),
}
THREEFOLD = 3.0  # ratio of parameters from which a difference may be one of sizes


def cautions(
    groups: Sequence[Group],
    variants: Sequence[Variant],
    metric: Metric,
    rule: Rule,
    over: Sequence[str],
    num_compared: int,
) -> tuple[str, ...]:
    """What intervals and p values do not cover, one sentence each, without a full stop.

    Args:
        over: keys that were tuned.
        num_compared: size of the family that p is corrected over.
    """
    if not num_compared:
        return ()
    split = metric.name.partition("/")[0]
    found = [
        "intervals and p are over seeds: one seed moves the split, the initial weights, the order "
        f"of the batches and dropout together. The {split} set is one and the same for all, so "
        f"they do not cover other {split} examples{_error_over_examples(groups, variants, metric)}"
    ]
    if rule.margin is not None and rule.correction != "none" and num_compared > 1:
        found.append(
            "the correction is for better and worse alone: equivalence is tested at "
            f"{rule.alpha:g} in each of the {plural(num_compared, 'comparison')}"
        )
    if over:
        found.append(
            f"p and intervals are conditional on the values of {', '.join(over)} that were chosen "
            "on validation with these seeds: other seeds might choose others, which they do not "
            "cover"
        )
    return tuple(found)


def so_far(undone: str, variants: Sequence[Variant]) -> tuple[str, ...]:
    """That a sweep is not complete, and what follows.

    Args:
        undone: how many runs are not done; "" if all are.
    """
    if not undone or not any(v.compared for v in variants):
        return ()
    if not any(v.word == "so far" for v in variants):
        return (f"these are verdicts on an incomplete sweep: {undone} are not done",)
    return (
        f"{undone} are not done, so p is withheld: whoever judges now and again at the end looks "
        "twice. The sweep's command goes on with it; allow_incomplete=true judges what is there",
    )


def _error_over_examples(
    groups: Sequence[Group], variants: Sequence[Variant], metric: Metric
) -> str:
    """The standard error that one accuracy has over the examples; "" where nobody knows it."""
    key, split = next((v.key for v in variants if v.is_baseline and v.n), None), metric.name[:5]
    if not metric.is_share or key is None or split not in ("test/", "valid"):
        return ""
    runs = groups[key].finished
    n = runs[0].data.get(f"num_{metric.name.partition('/')[0]}") if runs else None
    if not isinstance(n, int) or n <= 0 or runs[0].task.per_step:
        return ""
    share = variants[key].mean / 100
    error = 100 * math.sqrt(max(0.0, share * (1 - share)) / n)
    return (
        f" (one accuracy of {wording.number(100 * share, metric.decimals)} % has a standard error "
        f"of {error:.{metric.decimals}f} {metric.points} over n={n:,} examples)"
    )


def seconds_note(why: str) -> tuple[str, ...]:
    """A note on seconds that do not compare, and on what the table has instead."""
    if not why:
        return ()
    return (
        "seconds do not compare, so that only report.csv has them, and the table has the time of a "
        f"step of each variant by itself: {why}",
    )


def means_text(variants: Sequence[Variant]) -> str:
    """That means leave out runs that diverged or failed, for a caption; "" where there are none."""
    found = [f"{v.label} {of}" for v in variants if (of := wording.trained(v))]
    return f" Means are of the runs that trained: {wording.listed(found)}." if found else ""


def not_shown(variants: Sequence[Variant], keys: Sequence[str]) -> tuple[str, ...]:
    """A warning if the means include runs that are not shown to learn."""
    names = words.in_sentences(variants, keys)
    stuck = [v for v in variants if v.not_learning]
    if not stuck:
        return ()
    num, total = sum(v.not_learning for v in stuck), sum(v.n for v in variants)
    found = [f"{names[v.key]} {v.not_learning} of {v.n}" for v in stuck]
    return (
        f"{num} of {plural(total, 'run')} {'is' if num == 1 else 'are'} not shown to learn, since "
        "neither valid nor test is clearly better than a guess; the means count them: "
        f"{wording.listed(found)}",
    )


def besides(
    groups: Sequence[Group],
    variants: Sequence[Variant],
    pairs: Sequence[Pair],
    selector: Metric,
    metric: Metric,
) -> tuple[str, ...]:
    """What belongs to the headline and is not about a variant and its own baseline."""
    texts = (best_lstm(groups, variants, selector, metric), pairs_text(variants, pairs))
    return tuple(filter(None, texts))


def pairs_text(variants: Sequence[Variant], pairs: Sequence[Pair]) -> str:
    """How many of all pairs differ, for the headline; "" where they were not asked for."""
    found = [pair for pair in pairs if pair.compared]
    if not found:
        return ""
    apart = [pair for pair in found if pair.verdict.word in ("better", "worse")]
    names = [f"{variants[pair.a].label} from {variants[pair.b].label}" for pair in apart]
    of = f"of all {plural(len(found), 'pair')}, {len(apart)} differ"
    return f"{of} ({wording.listed(names)})" if names else of


def best_lstm(
    groups: Sequence[Group], variants: Sequence[Variant], selector: Metric, metric: Metric
) -> str:
    """That a variant beats its own LSTM and not the best one of the sweep; "" where none does so.

    The best LSTM is the baseline with the best mean on validation: chosen on test, it would be
    flattered. Without validation nothing is said.
    """
    by_valid = {}
    for v in variants:
        values = [x for run in groups[v.key].finished if (x := selector.of(run)) is not None]
        if v.is_baseline and v.cell == BASELINE_CELL and values:
            by_valid[v.key] = math.fsum(values) / len(values)
    if len(by_valid) < 2:
        return ""
    pick = max if selector.higher_is_better else min
    best = variants[pick(by_valid, key=lambda key: by_valid[key])]
    sign = 1 if metric.higher_is_better else -1
    behind = [
        v.label
        for v in variants
        if v.word == "better" and v.baseline != best.key and sign * (v.mean - best.mean) <= 0
    ]
    if not behind:
        return ""
    mean = f"{wording.number(best.mean, metric.decimals)} {metric.unit}".strip()
    verb = "beats its own baseline" if len(behind) == 1 else "beat their own baselines"
    return (
        f"{wording.listed(behind)} {verb} and not the best LSTM of these runs on validation, "
        f"{best.label} ({mean})"
    )


def unlike_sizes(
    groups: Sequence[Group], variants: Sequence[Variant], keys: Sequence[str]
) -> tuple[str, ...]:
    """A warning where another cell or an arm has threefold the parameters of its baseline."""
    found, units, names = [], set(), words.in_sentences(variants, keys)
    for v in variants:
        if v.compared is None or v.baseline is None:
            continue
        own, base = v.num_params, variants[v.baseline].num_params
        if v.cell == variants[v.baseline].cell and not v.change:
            continue  # the size itself was swept
        if min(own, base) > 0 and max(own, base) >= THREEFOLD * min(own, base):
            found.append(f"{names[v.key]} {own:,.0f} against {base:,.0f}")
            units.add(groups[v.baseline].variant.get("model.hidden"))
    if not found:
        return ()
    hidden = units.pop() if len(units) == 1 else 64
    return (
        "parameters differ threefold from those of the baseline, so a difference may be one of "
        f"sizes: {wording.listed(found)}; model.match=lstm-{hidden} compares cells of one "
        "size",
    )


def unlike_surroundings(
    groups: Sequence[Group], variants: Sequence[Variant], keys: Sequence[str]
) -> tuple[str, ...]:
    """A warning where another cell also has another read-out or block than its baseline."""
    found, names = [], words.in_sentences(variants, keys)
    for v in variants:
        if v.compared is None or v.baseline is None or v.cell == variants[v.baseline].cell:
            continue
        own, base = groups[v.key].variant, groups[v.baseline].variant
        parts = [
            f"{key}={shown(of_own)} and {shown(of_base)}"
            for key, default in _SURROUNDINGS.items()
            if (of_own := own.get(key, default)) != (of_base := base.get(key, default))
        ]
        found += [f"{names[v.key]}: {', '.join(parts)}"] * bool(parts)
    if not found:
        return ()
    return (
        "cells differ from their baseline in what is around the recurrence too, so a difference "
        f"may be one of that: {wording.listed(found)}",
    )
