"""Writes published numbers, ours and verdicts as texts for tables."""

import math
from collections.abc import Sequence

from mnist_seq.config.schema.expects import Expected, band
from mnist_seq.published.judging import Verdict, judge
from mnist_seq.published.measured import machine_of
from mnist_seq.published.rows import Row
from mnist_seq.published.stored import Stored
from mnist_seq.runs import provenance
from mnist_seq.runs.text import duration, plural

NONE = "-"


def announced(row: Row, ours: Stored | None, seeds: int) -> str:
    """What is about to be trained, and for how long."""
    minutes = ours.minutes / len(ours.seeds) if ours else row.expected.minutes
    time = "" if minutes == "none" else f"; about {_rough(float(minutes))} a seed"
    number, band = published(row.expected), published_band(row.expected)
    return (
        f"{row.id}: published {number} ({band}); {plural(seeds, 'seed')}{time}; source: "
        f"{row.expected.source}"
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


def published_short(expected: Expected) -> str:
    """The same without the unit of an error or a loss: "98.9 %", "0.164"."""
    whole = published(expected)
    return whole if _is_share(expected.metric) else whole.partition(" ")[0]


def published_band(expected: Expected) -> str:
    """What counts as the number of the paper: "98.6-99.2"."""
    low, high = band(expected)
    if _is_share(expected.metric):
        low, high = max(low, 0.0), min(high, 1.0)
    return _range(expected.metric, low, high, 1)


def ours(verdict: Verdict) -> str:
    """Our mean with its interval: "98.88 % (98.52-99.25)".

    No end is shown beyond what the metric can be: no share above 100 %, and no error below 0.
    """
    if not verdict.n:
        return NONE
    metric = verdict.row.expected.metric
    mean = f"{value(metric, verdict.mean, 2)} {unit(metric)}"
    if math.isnan(verdict.low):
        return mean
    if verdict.low == verdict.high:
        return f"{mean}, every seed"
    low, high = verdict.low, verdict.high
    if _is_share(metric):
        low, high = max(low, 0.0), min(high, 1.0)
    elif verdict.is_higher_better is False and verdict.mean >= 0:
        low = max(low, 0.0)
    return f"{mean} ({_range(metric, low, high, 2)})"


def ours_short(verdict: Verdict) -> str:
    """Our mean with half the width of its interval: "98.88 ± 0.37 %", "0.00025 ± 0.00011"."""
    metric, half = verdict.row.expected.metric, verdict.high - verdict.mean
    if not verdict.n or math.isnan(half):
        return ours(verdict)
    if _is_share(metric):
        return f"{value(metric, verdict.mean, 2)} ± {value(metric, half, 2)} %"
    if not half or not 1e-6 <= half < 1e3:
        return f"{verdict.mean:.3g} ± {half:.2g}"
    decimals = max(0, 1 - math.floor(math.log10(half)))  # two digits of the half width
    return f"{verdict.mean:.{decimals}f} ± {half:.{decimals}f}"


def _range(metric: str, low: float, high: float, decimals: int) -> str:
    """Two ends: "98.6-99.2"; "1e-05 to 0.0001", and of numbers below 0 "-0.2 to 0.1"."""
    ends = value(metric, low, decimals), value(metric, high, decimals)
    return (" to " if "e" in "".join(ends) or low < 0 else "-").join(ends)


def word(verdict: Verdict) -> str:
    """The verdict, with what keeps it from being decided."""
    return f"{verdict.word}: {verdict.why}" if verdict.why else verdict.word


def cost(verdict: Verdict) -> str:
    """What it took, or what a seed takes where nothing has run."""
    if math.isnan(verdict.minutes):
        return NONE
    text = _rough(verdict.minutes)
    return text if verdict.word != "not run" else f"about {text} each"


def cost_short(verdict: Verdict) -> str:
    """The same in few letters: "~12 min" of a seed where nothing has run."""
    return cost(verdict).replace("about ", "~").removesuffix(" each")


def times(results: Sequence[Stored]) -> str:
    """Where the times were measured: nobody knows how fast another machine is."""
    machines = dict.fromkeys(found.machine for found in results)
    measured = f"of all seeds together, measured on {'; '.join(machines)}; " if machines else ""
    return f"Time: {measured}this machine is {machine_of({'host': provenance.host()})}"


def _rough(minutes: float) -> str:
    """A duration with the digits that say something of another machine."""
    unit = 60 if minutes >= 600 else 1 if minutes >= 10 else 1 / 60  # minutes
    return duration(60 * unit * round(minutes / unit))


def _is_share(metric: str) -> bool:
    """Whether it is shown in percent."""
    return metric.endswith("accuracy")


def value(metric: str, number: float, decimals: int = 1) -> str:
    """A value without its unit: accuracies in percent, others with three digits that count."""
    if _is_share(metric):
        return f"{100 * number:.{decimals}f}"
    return f"{number:.3g}"


def unit(metric: str) -> str:
    """What stands behind a value: "%", "mse"."""
    return "%" if _is_share(metric) else metric.rpartition("/")[2]
