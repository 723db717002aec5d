"""A/A study: LSTM against LSTM with other seeds, through the whole rule, 1,000 sweeps each.

What it protects is the project's one claim: a difference that is called is one.
"""

import numpy as np
import pytest

from mnist_seq.stats import Rule, judge, paired_comparison, welch_comparison

NUM_SWEEPS = 1000
pytestmark = pytest.mark.usefixtures("unchecked_shapes")


def _accuracies(rng: np.random.Generator, num_variants: int, n: int, *, paired: bool) -> np.ndarray:
    """Percent right of 10,000 test images, so that ties occur; paired seeds share their data."""
    shared = rng.normal(0, 0.05, size=n if paired else (num_variants, n))
    own = rng.normal(0, 0.09, size=(num_variants, n))
    return np.round(98.7 + shared + own, 2)


def _rate(rule: Rule, *, num_variants: int, n: int, paired: bool = True) -> float:
    """Share of A/A sweeps in which any variant is called better or worse."""
    rng = np.random.default_rng(n + 100 * num_variants)
    compare = paired_comparison if paired else welch_comparison
    calls = 0
    for _ in range(NUM_SWEEPS):
        baseline, *variants = _accuracies(rng, num_variants + 1, n, paired=paired)
        verdicts = judge([compare(v, baseline) for v in variants], rule)
        calls += any(v.word in ("better", "worse") for v in verdicts)
    return calls / NUM_SWEEPS


@pytest.mark.parametrize("n", [5, 3, 10])
@pytest.mark.slow
def test_one_comparison_of_equals_is_called_in_about_5_percent(n: int) -> None:
    """Allowed: 3 standard errors of a rate of .05 over 1,000 sweeps."""
    assert _rate(Rule(), num_variants=1, n=n) == pytest.approx(0.05, abs=0.021)


@pytest.mark.slow
def test_one_unpaired_comparison_of_equals_is_called_in_about_5_percent() -> None:
    """The same where seeds do not pair."""
    rate = _rate(Rule(), num_variants=1, n=5, paired=False)
    assert rate == pytest.approx(0.05, abs=0.021)


@pytest.mark.slow
def test_the_permutation_rule_never_exceeds_5_percent() -> None:
    """Exact, hence at most alpha; at 5 seeds it can call nothing at all."""
    rule = Rule(test="permutation")
    assert _rate(rule, num_variants=1, n=5) == 0.0
    assert 0.02 <= _rate(rule, num_variants=1, n=8) <= 0.071


@pytest.mark.slow
def test_a_family_of_equals_is_called_in_about_5_percent_with_holm() -> None:
    """Six variants share a baseline, so Holm stays a little below; never clearly above."""
    assert 0.02 <= _rate(Rule(), num_variants=6, n=5) <= 0.071


@pytest.mark.slow
def test_without_correction_a_family_of_equals_is_called_far_too_often() -> None:
    """Why the correction exists; if this fails, the study above could not fail either."""
    assert _rate(Rule(correction="none"), num_variants=6, n=5) > 0.12
