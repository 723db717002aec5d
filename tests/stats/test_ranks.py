"""Ranks over tasks equal those of SciPy and autorank."""

import math

import numpy as np
import pytest
import scipy.stats

from mnist_seq.stats import friedman, mean_rank_intervals, ranks
from mnist_seq.stats.ranking.ranks import critical_difference

# Accuracies of four cells (rows) on ten tasks; np.random.RandomState(7), with two ties put in
VALUES = np.round(
    np.random.RandomState(7).normal(0.8, 0.05, (4, 10)) + np.array([[0.1], [0.06], [0.0], [-0.04]]),
    4,
)
VALUES[1, 3], VALUES[2, 5] = VALUES[0, 3], VALUES[1, 5]
UP = [True] * 10


def test_ranks_are_those_of_scipy_in_either_direction() -> None:
    found = ranks(VALUES, [True] * 5 + [False] * 5)
    assert found[:, :5] == pytest.approx(scipy.stats.rankdata(-VALUES[:, :5], axis=0))
    assert found[:, 5:] == pytest.approx(scipy.stats.rankdata(VALUES[:, 5:], axis=0))


def test_a_cell_that_lacks_a_task_has_no_rank() -> None:
    """A NaN would rank last, or first."""
    with pytest.raises(ValueError, match="none NaN"):
        ranks(np.array([[1.0, np.nan], [2.0, 3.0]]), [True, True])
    with pytest.raises(ValueError, match="a direction"):
        ranks(VALUES, [True])


def test_friedman_is_that_of_scipy() -> None:
    found = friedman(ranks(VALUES, UP), alpha=0.05)
    expected = scipy.stats.friedmanchisquare(*VALUES)
    assert (found.statistic, found.p) == pytest.approx((expected.statistic, expected.pvalue))


def test_mean_ranks_and_the_critical_difference_are_those_of_autorank() -> None:
    """Numbers of autorank 1.3.0 (force_mode="nonparametric") on these values, computed once."""
    ranked = ranks(VALUES, UP)
    assert ranked.mean(axis=1) == pytest.approx([1.25, 2.0, 3.05, 3.7])
    found = friedman(ranked, alpha=0.05)
    assert found.p == pytest.approx(7.299234105479441e-05)
    assert found.critical_difference == pytest.approx(1.483221853685529, rel=1e-4)  # q of a table
    assert found.groups == ((0, 1), (1, 2), (2, 3))


def test_critical_differences_are_those_of_tables() -> None:
    """Demsar 2006, table 5a: q at .05 of 2, 4 and 10 classifiers is 1.960, 2.569 and 3.164."""
    for k, q in ((2, 1.960), (4, 2.569), (10, 3.164)):
        scale = math.sqrt(k * (k + 1) / (6 * 14))
        assert critical_difference(k, 14, alpha=0.05) / scale == pytest.approx(q, abs=6e-4)


def test_no_bar_parts_what_the_test_does_not_tell_apart() -> None:
    """After a test that does not reject, no pair is looked at."""
    same = np.tile(np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 3.0]]), (1, 3))
    same = np.array([np.roll([1.0, 2.0, 3.0], i) for i in range(6)]).T
    found = friedman(same, alpha=0.05)
    assert found.p == pytest.approx(1.0)
    assert found.groups == ((0, 1, 2),)
    tied = friedman(np.full((3, 5), 2.0), alpha=0.05)
    assert (tied.statistic, tied.p, tied.groups) == (0.0, 1.0, ((0, 1, 2),))


def test_bars_join_neighbours_within_the_critical_difference() -> None:
    order = np.repeat(np.arange(1.0, 7.0)[:, None], 12, axis=1)  # always the same six ranks
    found = friedman(order, alpha=0.05)
    assert 2 < found.critical_difference < 3
    assert found.groups == ((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5))


def test_too_few_tasks_or_cells_are_refused() -> None:
    for shape in ((4, 4), (2, 9)):
        with pytest.raises(ValueError, match="3 cells and 5 tasks"):
            friedman(np.ones(shape), alpha=0.05)


def test_intervals_of_mean_ranks_are_of_the_seeds_alone() -> None:
    """Far apart at every seed: no resample changes a rank. Close ones: many do."""
    draw = np.random.RandomState(1)
    apart = [np.array([[0.9], [0.5]]) + draw.normal(0, 0.01, (2, 5)) for _ in range(3)]
    ends = mean_rank_intervals(apart, [True] * 3, level=0.95)
    assert [(i.low, i.high) for i in ends] == [(1.0, 1.0), (2.0, 2.0)]
    assert [i.kind for i in ends] == ["bootstrap"] * 2
    ends = mean_rank_intervals(apart, [True, True, False], level=0.95)
    assert [i.low for i in ends] == pytest.approx([4 / 3, 5 / 3])
    close = [np.array([[1.0, 0.0, 1.0, 0.0, 1.0], [0.0, 1.0, 0.0, 1.0, 0.0]])] * 3
    assert all(i.high - i.low >= 1 / 3 for i in mean_rank_intervals(close, [True] * 3, level=0.95))
    assert mean_rank_intervals(close, [True] * 3, level=0.95) == mean_rank_intervals(
        close, [True] * 3, level=0.95
    )
