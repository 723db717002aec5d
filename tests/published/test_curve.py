"""Learning curves that are stored of equal runs."""

from typing import Any

import pytest

from mnist_seq.published.curve import MOST_POINTS, Curve, curve_of

METRIC = "valid/accuracy"


def rows(*values: float | None, every: int = 10) -> list[dict[str, Any]]:
    """Evaluations at 10, 20, ... updates."""
    return [
        {"step": every * (i + 1), METRIC: value, "train/loss": 0.5, "optimizer/lr": 0.01}
        for i, value in enumerate(values)
    ]


def test_a_curve_has_the_updates_that_all_seeds_have() -> None:
    """A run that stopped early, or has no finite value, ends or thins it; known numbers."""
    found = curve_of([rows(0.1, 0.2, 0.9), rows(0.3, None), rows(0.5, 0.4)], main="accuracy")
    assert found == Curve(metric=METRIC, updates=[10], mean=[0.3], sd=[0.2], lr=[0.01], n=3)
    assert curve_of([rows(0.1), rows(0.1, every=7)], main="accuracy").updates == []
    assert curve_of([rows(0.1)], main="accuracy").sd == [None], "one seed has no spread"
    assert curve_of([rows(0.1)] * 3, main="mse").metric == "train/loss"


def test_a_long_curve_is_thinned_between_its_ends() -> None:
    """A file stays readable, and the first point, which a user waits for, stays."""
    updates = curve_of([rows(*[0.5] * 1000)] * 3, main="accuracy").updates
    assert (len(updates), updates[0], updates[-1]) == (MOST_POINTS, 10, 10_000)
    assert updates == sorted(set(updates))


@pytest.mark.parametrize(
    "change",
    [{"sd": [0.1]}, {"updates": [4, 4]}, {"sd": [0.1, -1.0]}, {"lr": [0.1]}, {"n": 0},
     {"mean": [0.1, float("nan")]}],
)  # fmt: skip
def test_a_curve_of_other_lengths_is_refused(change: dict[str, Any]) -> None:
    """Whoever wrote the file."""
    values = {"metric": METRIC, "updates": [4, 8], "mean": [0.1, 0.2], "sd": [0.1, 0.1], "n": 3}
    assert Curve.model_validate(values)
    with pytest.raises(ValueError, match="Curve"):
        Curve.model_validate({**values, **change})
