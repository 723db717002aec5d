"""Verdicts: the declared rule, in each of its words."""

import math

import numpy as np
import pytest

from mnist_seq.stats import (
    PairedComparison,
    Rule,
    detectable_difference,
    judge,
    margin_text,
    no_verdict,
    paired_comparison,
    verdict,
    welch_comparison,
)


def _compare(
    difference: float, sd: float, n: int, *, higher_is_better: bool = True
) -> PairedComparison:
    """A comparison with exactly this mean and sd of differences."""
    z = np.random.default_rng(n).normal(size=n)
    z = (z - z.mean()) / z.std(ddof=1)
    return paired_comparison(
        98 + difference + sd * z, np.full(n, 98.0), higher_is_better=higher_is_better
    )


def test_a_clear_gain_is_better_and_a_clear_loss_worse() -> None:
    """The two words that a sweep is run for."""
    gain, loss = judge([_compare(0.3, 0.1, 8), _compare(-0.3, 0.1, 8)], Rule(unit="points"))
    assert (gain.word, loss.word) == ("better", "worse")
    assert gain.text.startswith("better by 0.30 points (95 % t-interval 0.22 to 0.38, p=0.00012")
    assert loss.text.startswith("worse by 0.30 points (95 % t-interval -0.38 to -0.22")
    assert "Holm over 2, n=8" in gain.text
    assert gain.needed_seeds is None


def test_a_lower_loss_is_better() -> None:
    """The sign of a difference is not its worth."""
    found = judge([_compare(-0.3, 0.1, 8, higher_is_better=False)], Rule())[0]
    assert found.word == "better"


def test_a_better_mean_alone_is_no_better_variant() -> None:
    """The rule of the project: never from a bare mean."""
    found = judge([_compare(0.1, 0.2, 5)], Rule())[0]
    assert found.word == "not distinguishable"
    assert found.needed_seeds is not None
    assert f"needs about {found.needed_seeds - 5} more seeds" in found.text
    assert detectable_difference(found.needed_seeds, 0.2) <= 0.1
    assert detectable_difference(found.needed_seeds - 1, 0.2) > 0.1


def test_a_difference_too_small_for_a_thousand_seeds_says_so() -> None:
    """ "Needs 12,345 more seeds" is no advice."""
    for difference in (0.0, 0.001):
        found = judge([_compare(difference, 0.2, 5)], Rule())[0]
        assert "which it would take more than 1,000 seeds to show (no evidence" in found.text
        assert found.needed_seeds is None


def test_within_the_margin_is_equivalent_and_outside_stays_open() -> None:
    """ "No difference found" and "no difference that matters" are two findings."""
    near, far = judge([_compare(0.01, 0.05, 8), _compare(0.1, 0.3, 8)], Rule(margin=0.1))
    assert (near.word, far.word) == ("equivalent", "not distinguishable")
    assert near.is_within_margin
    assert not far.is_within_margin
    assert "equivalent within 0.1" in near.text
    assert near.equivalence is not None
    shown = f"90 % t-interval {near.equivalence.interval.low:.2f} to "
    assert shown in near.text
    assert shown not in far.text
    assert judge([_compare(0.01, 0.05, 8)], Rule())[0].word == "not distinguishable"


def test_a_margin_of_one_is_one_point() -> None:
    rule = Rule(margin=1.0, unit="points")
    (found,) = judge([_compare(0.01, 0.05, 8)], rule)
    assert found.text.startswith("equivalent within 1 point: difference 0.01 points")
    assert margin_text(Rule(margin=0.5, unit="points")) == "0.5 points"
    assert (margin_text(Rule(margin=1.0)), margin_text(Rule())) == ("1", "none")


def test_a_real_but_small_difference_is_better_but_within_the_margin() -> None:
    """Both findings hold; the word is the primary test's, the text says both."""
    found = judge([_compare(0.05, 0.02, 10)], Rule(margin=0.1))[0]
    assert (found.word, found.is_within_margin) == ("better", True)
    assert found.text.startswith("better by 0.05, but within the margin of 0.1 (")


def test_the_family_raises_the_bar_and_the_text_asks_for_seeds_all_the_same() -> None:
    """At p = .01 alone significant, in a family of 8 not: more seeds, never 0 or fewer."""
    one = _compare(0.2, 0.15, 8)
    others = [_compare(0.0, 0.15, 8)] * 7
    assert one.p_t < 0.05 < 8 * one.p_t
    assert judge([one], Rule())[0].word == "better"
    assert judge([one, *others], Rule(correction="none"))[0].word == "better"
    found = judge([one, *others], Rule())[0]
    assert found.word == "not distinguishable"
    assert found.needed_seeds is not None
    assert found.needed_seeds > 8
    assert detectable_difference(found.needed_seeds, 0.15, alpha=0.05 / 8) <= 0.2
    assert "Holm over 8" in found.text


def test_the_seeds_asked_for_are_enough_under_the_correction_from_the_start() -> None:
    """A target at .05 alone would move to .05 / 8 once its seeds are paid for."""
    one, others = _compare(0.2, 0.3, 8), [_compare(0.0, 0.15, 8)] * 7
    (alone,), found = judge([one], Rule()), judge([one, *others], Rule())[0]
    assert found.needed_seeds is not None
    assert alone.needed_seeds is not None
    assert found.needed_seeds > alone.needed_seeds > 8
    assert detectable_difference(found.needed_seeds, 0.3, alpha=0.05 / 8) <= 0.2
    uncorrected = judge([one, *others], Rule(correction="none"))[0]
    assert uncorrected.needed_seeds == alone.needed_seeds


def test_no_seeds_are_advised_where_nothing_learns() -> None:
    found = judge([_compare(0.1, 0.2, 5)], Rule(), instead=["and so on"])[0]
    assert (found.word, found.needed_seeds) == ("not distinguishable", None)
    assert "difference 0.10, and so on (" in found.text
    assert "more seed" not in found.text


def test_five_seeds_can_never_be_significant_by_permutation() -> None:
    """2^-4 = .0625: however large the gain, the text says why and asks for one more seed."""
    found = judge([_compare(5.0, 0.01, 5)], Rule(test="permutation"))[0]
    assert found.word == "not distinguishable"
    assert found.p == found.p_adjusted == 0.0625
    assert "no p below 0.0625 at this n" in found.text
    assert (found.needed_seeds, "needs about 1 more seed to" in found.text) == (6, True)
    assert judge([_compare(5.0, 0.01, 6)], Rule(test="permutation"))[0].word == "better"


def test_a_constant_gain_is_judged_by_permutation_under_either_test() -> None:
    """Two seeds with the same gain are two seeds, whatever t says."""
    b = np.array([0.97, 0.98, 0.96])
    found = judge([paired_comparison(b + 0.1, b)], Rule())[0]
    assert (found.word, found.needed_seeds) == ("not distinguishable", 6)
    assert "the same at every seed" in found.text
    equal = judge([paired_comparison(np.ones(5), np.ones(5))], Rule(margin=0.1))[0]
    assert equal.word == "equivalent"


def test_unpaired_comparisons_are_judged_by_the_same_rule() -> None:
    """Where seeds do not pair, the words mean the same; counts are a side."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(98.4, 0.1, 6), rng.normal(98, 0.1, 8)
    clear, open_ = judge([welch_comparison(a, b), welch_comparison(a - 0.35, b)], Rule())
    assert clear.word == "better"
    assert "welch-t-interval" in clear.text
    assert "n=6 and 8" in clear.text
    assert open_.word == "not distinguishable"
    assert "a side" in open_.text


def test_without_a_comparison_the_reason_is_the_word() -> None:
    """A missing baseline is no p of 1."""
    assert no_verdict("no baseline", 4).word == "no baseline"
    few = no_verdict("too few seeds", 1)
    assert (few.word, few.needed_seeds) == ("too few seeds", None)
    assert math.isnan(few.p)


def test_a_rule_that_is_none_is_refused() -> None:
    """A typo must not choose another test."""
    with pytest.raises((ValueError, TypeError)):
        Rule(test="welsh")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="alpha lies between 0 and 1"):
        Rule(alpha=5.0)
    with pytest.raises(ValueError, match=r"p_adjusted lies in 0\.\.1"):
        verdict(_compare(0.1, 0.1, 5), Rule(), p_adjusted=math.nan)
    assert judge([], Rule()) == []
