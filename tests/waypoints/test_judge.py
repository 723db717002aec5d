"""Where a run is beside the seeds of its stored curve."""

from typing import Any

import numpy as np
import pytest

from mnist_seq.published.curve import curve_of
from mnist_seq.published.stored import Seed, Stored
from mnist_seq.runs.events import BY_ACCURACY
from mnist_seq.stats.intervals import prediction_interval
from mnist_seq.waypoints.judge import Standing, line, standing

CONFIG = {"training": {"epochs": 3}}
ACCURACY, LOSS = "valid/accuracy", "valid/loss"


def rows(*values: float | None, lr: float = 0.01, metric: str = ACCURACY) -> list[dict[str, Any]]:
    return [
        {"step": i + 1, metric: value, "optimizer/lr": lr * (i + 1)}
        for i, value in enumerate(values)
    ]


def stored(*runs: list[dict[str, Any]], main: str = "accuracy", **changes: Any) -> Stored:
    curve = curve_of(runs, main=main).model_copy(update=changes)
    seeds = [Seed(seed=i, value=0.5, minutes=1.0) for i in range(len(runs))]
    names = ("command", "metric", "variant", "machine", "torch", "kernel", "code")
    facts: dict[str, Any] = {**dict.fromkeys(names, ""), "config": CONFIG, "curve": curve}
    return Stored(experiment="e", row="a", updates=6, seeds=seeds, **facts)


def beside(
    of: Stored, found: list[dict[str, Any]], *, config: dict[str, Any] = CONFIG, valid: int = 0
) -> Standing | None:
    record = {"config": config, "data": {"num_valid": valid}}
    return standing(of, record, found, BY_ACCURACY)


RUNS = [rows(*(base - 0.01 * i for i in range(6))) for base in (0.70, 0.72, 0.74)]
STORED = stored(*RUNS)


def places(values: list[float | None], of: Stored = STORED, *, valid: int = 0) -> str:
    found = beside(of, rows(*values), valid=valid)
    return "" if found is None else "".join(point.place[0] for point in found.points)


def test_the_interval_is_that_of_one_more_seed() -> None:
    """Mean 0.72, sd 0.02, n 3: 0.72 +- 4.3027 * 0.02 * sqrt(4/3); known values of Student's t."""
    found = beside(STORED, rows(0.72))
    assert found is not None
    (point,) = found.points
    assert (point.low, point.high) == pytest.approx((0.62063, 0.81937), abs=1e-5)
    assert places([0.621, 0.809, 0.600, 0.790]) == "wwwb"
    assert (
        line(found, BY_ACCURACY, seed=3)
        == "waypoint: at 1 update valid/accuracy 72.00 % is within what 3 "
        "seeds gave (e.a: 62.06 to 81.94 %)"
    )
    assert "81.94 %, this seed among them)" in line(found, BY_ACCURACY, seed=2)


def test_less_is_better_for_a_loss() -> None:
    """And no loss is below 0."""
    runs = [rows(v, v, metric=LOSS) for v in (0.1, 0.2, 0.3)]
    found = beside(stored(*runs, main="loss"), rows(0.9, 0.0, metric=LOSS))
    assert found is not None
    assert [(point.place, point.low) for point in found.points] == [("worse", 0), ("within", 0)]


def test_a_share_has_an_interval_within_0_and_1_and_never_a_point_wide() -> None:
    """Where all seeds are at 100 %, one wrong example is no sign of a fault, and chance is."""
    of = stored(*[rows(1.0, 0.5)] * 3)
    assert places([0.9951, 0.5049], of) == "ww"
    assert places([0.994, 0.506], of) == "wb"
    assert places([0.994, 0.62], of, valid=500) == "wb"
    assert places([0.994, 0.55], of, valid=500) == "ww", "where each of 500 examples is one"
    found = beside(of, rows(0.5))
    assert found is not None
    assert (found.points[0].high, found.place) == (1.0, "worse")


def test_a_spread_of_zero_says_nothing_of_an_error() -> None:
    of = stored(*[rows(0.5, metric=LOSS)] * 3, main="loss")
    assert beside(of, rows(0.5, metric=LOSS)) is None


def test_one_point_in_twenty_is_outside_and_two_in_a_row_are_a_fault() -> None:
    """Else most long runs would be called worse at some point."""

    def place(*values: float | None) -> str:
        found = beside(STORED, rows(*values))
        assert found is not None
        return found.place

    assert place(0.1) == "worse", "the first one: there is no other yet"
    assert place(0.7, 0.1) == "within"
    assert place(0.7, 0.1, 0.1) == "worse"
    assert place(0.7, 0.1, 0.99) == "within"
    assert place(0.7, 0.1, 0.1, 0.7) == "within"
    assert place(None, 0.1) == "worse"


def test_a_longer_schedule_is_compared_while_its_rates_are_the_same() -> None:
    """A run of other length has the same beginning only if its learning rates say so."""
    longer = {"training": {"epochs": 9}}
    parted = [*rows(0.7, 0.7), *rows(*[0.7] * 5, lr=0.02)[2:]]

    def num(of: Stored, config: dict[str, Any]) -> int:
        found = beside(of, parted, config=config)
        return len(found.points) if found else 0

    assert num(STORED, CONFIG) == 5
    assert num(STORED, longer) == 2
    assert num(stored(*RUNS, lr=[]), longer) == 0, "nobody knows the rates"


def test_updates_that_are_not_shared_are_not_compared() -> None:
    """A value between two updates is not made up: where a task is learnt at once, it would lie."""
    later = [{**row, "step": 100 + row["step"]} for row in rows(0.7, 0.7)]
    assert beside(STORED, later) is None
    assert beside(STORED, []) is None


def test_a_good_run_is_seldom_called_worse_and_hardly_ever_at_its_end() -> None:
    """The rates that docs/using.md names, for points that follow each other closely or not."""
    draw, n, num = np.random.default_rng(0), 5, 2000
    half = prediction_interval(0.0, 1.0, n).high
    rates = {}
    for follows in (0.0, 0.9):
        for points in (15, 60):
            z = draw.standard_normal((points, num, n + 1))
            for i in range(1, points):
                z[i] = follows * z[i - 1] + (1 - follows**2) ** 0.5 * z[i]
            seeds = z[..., :n]
            is_worse = z[..., n] < seeds.mean(-1) - half * seeds.std(-1, ddof=1)
            assert is_worse.mean() == pytest.approx(0.025, abs=0.006), "one side of 95 %"
            twice = is_worse[1:] & is_worse[:-1]
            rates[follows, points] = twice.any(0).mean()
            assert twice[-1].mean() < 0.02
    assert rates[0.0, 15] < 0.02
    assert rates[0.9, 15] < 0.09
    assert rates[0.0, 60] < 0.05
    assert rates[0.9, 60] < 0.29
