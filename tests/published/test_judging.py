"""The rule of met, not met and not decided."""

import pytest

from mnist_seq.config.schema.expects import Expected
from mnist_seq.published import table, words
from mnist_seq.published.judging import Word, judge
from mnist_seq.published.rows import Row
from mnist_seq.published.stored import Curve, Seed, Stored

CURVE = Curve(metric="valid/accuracy", updates=[1], mean=[0.5], sd=[None], n=1)


def stored(*values: float | None, is_higher_better: bool | None = True) -> Stored:
    """A result with one run a value."""
    seeds = [Seed(seed=i, value=value, minutes=2.0) for i, value in enumerate(values)]
    return Stored(
        experiment="e", row="r", command="c", metric="m", variant="v", updates=1, seeds=seeds,
        machine="CPU", torch="2", kernel="k", code="0", curve=CURVE,
        is_higher_better=is_higher_better,
    )  # fmt: skip


def row(metric: str = "test/accuracy", sides: str = "one", **band: object) -> Row:
    given = {"metric": metric, "sides": sides, "value": 0.9, "source": "a paper", **band}
    return Row("e", "r", Expected.model_validate(given))


BAND = {"interval": [0.88, 0.92]}


@pytest.mark.parametrize(
    ("metric", "sides", "values", "word"),
    [
        ("test/accuracy", "one", (0.899, 0.9, 0.901), "met"),
        ("test/accuracy", "one", (0.97, 0.971, 0.972), "met"),  # better is as good
        ("test/accuracy", "both", (0.97, 0.971, 0.972), "not met"),
        ("test/accuracy", "both", (0.899, 0.9, 0.901), "met"),
        ("test/accuracy", "both", (0.91, 0.92, 0.93), "not decided"),
        ("test/accuracy", "one", (0.80, 0.801, 0.802), "not met"),
        ("test/accuracy", "one", (0.88, 0.90, 0.92), "not decided"),  # its interval ends at 85
        ("test/accuracy", "one", (0.9, 0.9, 0.9), "met"),  # no spread: a point
        ("test/accuracy", "one", (0.9, 0.9), "not decided"),  # too few
        ("test/accuracy", "one", (0.9, 0.9, 0.9, None), "not decided"),  # one diverged
        ("test/mse", "one", (0.1, 0.101, 0.102), "met"),  # less is better
        ("test/mse", "one", (0.97, 0.971, 0.972), "not met"),
        ("test/loss", "both", (0.1, 0.101, 0.102), "not met"),
        ("test/loss", "both", (0.899, 0.9, 0.901), "met"),
    ],
)
def test_a_verdict_goes_by_the_interval_and_the_band(
    metric: str, sides: str, values: tuple[float | None, ...], word: Word
) -> None:
    found = stored(*values, is_higher_better=metric.endswith("accuracy"))
    assert judge(row(metric, sides, **BAND), found).word == word


def test_an_older_file_that_lacks_the_direction_decides_where_none_is_needed() -> None:
    """Files of older versions are read; no name of a metric says which way it goes."""
    old = stored(0.899, 0.9, 0.901, is_higher_better=None)
    assert judge(row(sides="both", **BAND), old).word == "met"
    open_ = judge(row(**BAND), old)
    assert (open_.word, open_.why[-13:]) == ("not decided", "store it anew")


def test_the_interval_is_that_of_the_seeds() -> None:
    """Student's t at n=3 has half-width 4.303 sd / sqrt(3)."""
    found = judge(row(**BAND), stored(0.89, 0.90, 0.91))
    assert (found.n, found.minutes) == (3, 6.0)
    assert found.mean == pytest.approx(0.9, rel=1e-12, abs=1e-12)
    assert found.low == pytest.approx(0.9 - 4.302653 * 0.01 / 3**0.5, rel=1e-6, abs=1e-6)


def test_no_interval_is_shown_beyond_what_a_metric_can_be() -> None:
    """The verdict goes by the whole one."""
    share = judge(row(**BAND), stored(0.99, 1.0, 1.0))
    error = judge(row("test/mse", **BAND), stored(0.1, 0.2, 0.9, is_higher_better=False))
    assert (words.ours(share), words.ours(error)) == ("99.67 % (98.23-100.00)", "0.4 mse (0-1.48)")
    r2 = judge(row("test/r2", **BAND), stored(-0.1, 0.0, 0.1))
    assert words.ours(r2) == "0 r2 (-0.248 to 0.248)"
    assert share.high > 1


def test_seeds_that_diverged_are_named_also_where_few_are_left() -> None:
    """Else it reads as if more seeds would decide it."""
    assert judge(row(**BAND), stored(None, None)).why == "2 of 2 diverged"


def test_what_has_not_run_says_what_it_costs() -> None:
    """No number stands where there is none."""
    found = judge(row(minutes=90, **BAND), None)
    texts = dict(zip(table.HEADER, table.texts(found), strict=True))
    assert (texts["ours"], texts["n"], texts["verdict"]) == ("-", "-", "not run")
    assert (texts["time"], texts["paper"]) == ("about 1 h 30 min each", "90.0 %")
    assert "" in table.fields(found)
