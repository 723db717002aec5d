"""Corrections: Holm and BH, against statsmodels."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from mnist_seq.stats import adjust


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("method", "theirs"), [("holm", "holm"), ("bh", "fdr_bh")])
def test_adjusted_p_equals_statsmodels(seed: int, method: str, theirs: str) -> None:
    """Ties and values near 1 included; the order of the input is kept."""
    p = np.round(np.random.default_rng(seed).beta(0.5, 2, 9), 2)
    assert adjust(p, method) == pytest.approx(multipletests(p, method=theirs)[1], abs=1e-15)


def test_a_family_of_one_is_left_alone() -> None:
    """One comparison needs no correction, and none at all is an empty family."""
    for method in ("holm", "bh", "none"):
        assert adjust(np.array([0.03]), method).tolist() == [0.03]
        assert adjust(np.array([]), method).tolist() == []
    assert adjust(np.array([0.5, 0.03]), "none").tolist() == [0.5, 0.03]


def test_adjusting_keeps_the_order_of_the_input() -> None:
    """A permuted family gives the same values permuted: no variant gets another's p."""
    p = np.array([0.04, 0.001, 0.3, 0.02])
    turn = np.array([2, 0, 3, 1])
    assert adjust(p)[turn].tolist() == adjust(p[turn]).tolist()


@pytest.mark.parametrize("bad", [np.nan, -0.1, 1.1])
def test_a_p_value_that_is_none_is_refused(bad: float) -> None:
    """A NaN sorts last and would silently swell the family."""
    with pytest.raises(ValueError, match=r"0\.\.1"):
        adjust(np.array([0.1, bad]))
