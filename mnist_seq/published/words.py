"""Writes published numbers, ours and verdicts as texts for tables."""

import math

from mnist_seq.config.schema.expects import Expected, band
from mnist_seq.published.judging import Verdict, judge
from mnist_seq.published.rows import Row
from mnist_seq.published.stored import Stored
from mnist_seq.runs.text import plural

NONE = "-"


def announced(row: Row, ours: Stored | None, seeds: int) -> str:
    """What is about to be trained, and for how long."""
    minutes = ours.minutes / len(ours.seeds) if ours else row.expected.minutes
    time = "" if minutes == "none" else f"; about {duration(float(minutes))} a seed"
    expected, band = published(row.expected), published_band(row.expected)
    return (
        f"{row.id}: {row.expected.source} prints {expected} ({band}); {plural(seeds, 'seed')}{time}"
    )


def judged(row: Row, found: Stored, stored: Stored | None) -> str:
    """The verdict in a line, with what we have stored for comparison."""
    here = judge(row, found)
    line = f"{row.id}: {ours(here)}, n={here.n}: {word(here)}"
    if stored is None:
        return line
    return f"{line}; stored: {ours(judge(row, stored))}, n={len(stored.values)}"


def published(expected: Expected) -> str:
    """The number of the paper: "98.9 %"."""
    return f"{value(expected.metric, expected.value)} {unit(expected.metric)}"


def published_band(expected: Expected) -> str:
    """What counts as the number of the paper: "98.6-99.2"."""
    return _range(expected.metric, *band(expected), 1)


def ours(verdict: Verdict) -> str:
    """Our mean with its interval: "98.88 % (98.52-99.25)", of a share within 0 to 100 %."""
    if not verdict.n:
        return NONE
    metric = verdict.row.expected.metric
    mean = f"{value(metric, verdict.mean, 2)} {unit(metric)}"
    if math.isnan(verdict.low):
        return mean
    if verdict.low == verdict.high:
        return f"{mean}, every seed"
    return f"{mean} ({_range(metric, verdict.low, verdict.high, 2)})"


def _range(metric: str, low: float, high: float, decimals: int) -> str:
    """Two ends, within what the metric can be: no share is above 100 %, and no error below 0."""
    low, high = max(low, 0.0), min(high, 1.0) if metric.endswith("accuracy") else high
    ends = value(metric, low, decimals), value(metric, high, decimals)
    return (" to " if "e" in "".join(ends) else "-").join(ends)


def word(verdict: Verdict) -> str:
    """The verdict, with what keeps it from being decided."""
    return f"{verdict.word}: {verdict.why}" if verdict.why else verdict.word


def cost(verdict: Verdict) -> str:
    """What it took, or what a seed takes where nothing has run."""
    if math.isnan(verdict.minutes):
        return NONE
    text = duration(verdict.minutes)
    return text if verdict.word != "not run" else f"about {text} each"


def duration(minutes: float) -> str:
    """Minutes as people say them: "40 s", "12 min", "5.2 h"."""
    if minutes < 1:
        return f"{max(1, round(60 * minutes))} s"
    if minutes < 100:
        return f"{minutes:.2g} min" if minutes < 10 else f"{minutes:.0f} min"
    hours = minutes / 60
    return f"{hours:.1f} h" if hours < 10 else f"{hours:.0f} h"


def value(metric: str, number: float, decimals: int = 1) -> str:
    """A value without its unit: accuracies in percent, others with three digits that count."""
    if metric.endswith("accuracy"):
        return f"{100 * number:.{decimals}f}"
    return f"{number:.3g}"


def unit(metric: str) -> str:
    """What stands behind a value: "%", "mse"."""
    return "%" if metric.endswith("accuracy") else metric.rpartition("/")[2]
