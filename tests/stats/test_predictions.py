"""Example by example: McNemar, confusion matrices, disagreements."""

import numpy as np
import pytest
from scipy.stats import binomtest
from statsmodels.stats.contingency_tables import mcnemar as their_mcnemar

from mnist_seq.stats import (
    McNemar,
    bootstrap_over_examples,
    confusion_matrix,
    disagreements,
    mcnemar,
    mcnemar_over_seeds,
)


@pytest.mark.parametrize("seed", range(4))
def test_mcnemar_equals_scipy_and_statsmodels(seed: int) -> None:
    """The exact test, on a table that statsmodels takes whole."""
    rng = np.random.default_rng(seed)
    a, b = rng.random(500) < 0.95, rng.random(500) < 0.9
    found = mcnemar(a, b)
    table = [[(a & b).sum(), (a & ~b).sum()], [(~a & b).sum(), (~a & ~b).sum()]]
    assert found.p == pytest.approx(their_mcnemar(table, exact=True).pvalue, rel=1e-10)
    expected = binomtest(found.only_a, found.only_a + found.only_b).pvalue
    assert found.p == pytest.approx(expected, rel=1e-10)
    assert found.difference == pytest.approx(a.mean() - b.mean())
    assert mcnemar(b, a).p == found.p


def test_mcnemar_matches_the_papers_detectable_gap() -> None:
    """60 discordant of 10,000 are called from .18 points on (papers.md 3.5), not before."""

    def p(only_a: int, only_b: int) -> float:
        a, b = np.ones(10_000, dtype=bool), np.ones(10_000, dtype=bool)
        b[:only_a] = False
        a[only_a : only_a + only_b] = False
        return mcnemar(a, b).p

    assert p(39, 21) < 0.05 < p(38, 22)


def test_models_right_on_the_same_examples_do_not_differ() -> None:
    """No discordant example is no evidence: p = 1, not 0 / 0."""
    right = np.array([True, False, True])
    assert mcnemar(right, right.copy()).p == 1.0


def test_pairs_are_counted_by_direction() -> None:
    """One pair says little; the report says how many agree."""
    ones, poor = np.ones(100, dtype=bool), np.arange(100) >= 20
    found = mcnemar_over_seeds([(ones, poor), (ones, poor), (poor, ones), (ones, ones)])
    counts = (found.num_pairs, found.num_a_better, found.num_b_better, found.num_undecided)
    assert counts == (4, 2, 1, 1)
    assert [pair.only_a for pair in found.pairs] == [20, 20, 0, 0]


@pytest.mark.parametrize("bad", [np.ones(3), np.ones((1, 3), dtype=bool), np.ones(0, dtype=bool)])
def test_mcnemar_refuses_what_is_no_list_of_booleans(bad: np.ndarray) -> None:
    """~ on integers would flip bits, not truth. TypeError where jaxtyping checks first."""
    with pytest.raises((ValueError, TypeError)):
        mcnemar(bad, np.ones(3, dtype=bool))


def test_confusion_rows_are_labels() -> None:
    """Read the other way round it names the wrong digit as the culprit."""
    labels, predictions = np.array([0, 0, 1, 2, 2], dtype=np.uint8), np.array([0, 1, 1, 2, 0])
    found = confusion_matrix(labels, predictions, 4)
    assert found.tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
    big = np.full(3, 9, dtype=np.uint8)  # 9 * 30 does not fit in a byte
    assert confusion_matrix(big, big, 30)[9, 9] == 3


def test_a_class_out_of_range_is_refused() -> None:
    """numpy would count it in another cell."""
    with pytest.raises(ValueError, match=r"classes are 0\.\.1, but predictions span 0 to 2"):
        confusion_matrix(np.array([0, 1]), np.array([0, 2]), 2)
    with pytest.raises(ValueError, match="labels span -1"):
        confusion_matrix(np.array([-1, 1]), np.array([0, 1]), 2)
    with pytest.raises((ValueError, TypeError)):
        confusion_matrix(np.array([0, 1]), np.array([0]), 2)


def test_disagreements_find_lost_gained_and_contested_examples() -> None:
    """The images that the report shows; widest gap first."""
    labels = np.array([0, 1, 2, 3, 4])
    #               kept lost gained split wrong
    variant = np.array([[0, 0, 2, 3, 0], [0, 0, 2, 0, 0], [0, 1, 2, 3, 0]])
    baseline = np.array([[0, 1, 0, 3, 0], [0, 1, 2, 0, 0]])
    found = disagreements(labels, variant, baseline)
    assert found.right_a == pytest.approx([1, 1 / 3, 1, 2 / 3, 0])
    assert found.right_b == pytest.approx([1, 1, 0.5, 0.5, 0])
    assert found.lost.tolist() == [1]
    assert found.gained.tolist() == []  # half of the baseline's seeds get it right
    assert found.contested.tolist() == [1, 3, 2]
    swapped = disagreements(labels, baseline, variant)
    assert (swapped.lost.tolist(), swapped.gained.tolist()) == ([], [1])


def test_with_one_seed_a_side_lost_and_gained_are_the_discordant_examples() -> None:
    """They must add up with McNemar's counts."""
    rng = np.random.default_rng(0)
    labels, a, b = rng.integers(0, 3, size=(3, 200))
    found = disagreements(labels, a[None], b[None])
    test = mcnemar(a == labels, b == labels)
    assert (len(found.gained), len(found.lost)) == (test.only_a, test.only_b)
    assert len(found.contested) == test.only_a + test.only_b


def test_predictions_of_another_test_set_are_refused() -> None:
    """Broadcasting would compare one prediction with all labels."""
    with pytest.raises((ValueError, TypeError)):
        disagreements(np.arange(3), np.zeros((2, 1), dtype=int), np.zeros((2, 3), dtype=int))
    with pytest.raises(ValueError, match="preds_b has shape"):
        disagreements(np.arange(3), np.zeros((2, 3), dtype=int), np.zeros((0, 3), dtype=int))


def test_the_paired_bootstrap_has_the_spread_of_resampled_examples() -> None:
    """10 and 20 discordant examples of 400: sd = sqrt(p_a + p_b - (p_a - p_b)^2) / sqrt(n)."""
    found = McNemar(400, 10, 20, -10 / 400, 0.1)
    ends = bootstrap_over_examples(found)
    sd = ((30 / 400 - (10 / 400) ** 2) / 400) ** 0.5
    assert ends.low == pytest.approx(-0.025 - 1.96 * sd, abs=0.002)
    assert ends.high == pytest.approx(-0.025 + 1.96 * sd, abs=0.002)
    assert bootstrap_over_examples(found) == ends
    assert bootstrap_over_examples(McNemar(400, 0, 0, 0.0, 1.0)).kind == "constant"
