"""E-values: known answers, the identities that make them valid, and their rates by simulation."""

import itertools
import math

import numpy as np
import pytest
from scipy import integrate, stats

from mnist_seq.stats import Rule, paired_comparison
from mnist_seq.stats.sequential.evalues import (
    G,
    critical_t,
    log_e,
    log_e_greater,
    log_e_greater_path,
    log_e_path,
)
from mnist_seq.stats.sequential.looks import Looks, look, p_equivalent
from mnist_seq.stats.sequential.outlook import chance_of_verdict, fewest_seeds, seeds_for_call
from mnist_seq.stats.sequential.verdicts import judge_looks

pytestmark = pytest.mark.usefixtures("unchecked_shapes")

D = np.array([0.42, 0.31, 0.55, 0.12, 0.38, 0.47, -0.05, 0.61])
# computed once by an independent implementation that works with t and two-pass variances
LOG_E = [0, 0.719636043, 1.55095973, 1.58771387, 2.64447509, 3.79275709, 2.57100303, 3.38369712]
LOG_FLIPS = [0, 0.49290453, 1.10712929, 1.55287246, 2.20187487, 2.87865175, 2.43637704, 3.10711838]


def share(n: float, t: float) -> np.ndarray:
    return np.array(t * t / (n - 1 + t * t))


def simulated(delta: float, num: int, n: int = 30, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(delta, 1.0, (num, n))


def test_e_values_are_those_of_an_independent_implementation() -> None:
    """Two ways to compute one number: sums of squares here, t statistics there."""
    assert log_e_path(D) == pytest.approx(LOG_E, abs=5e-9)
    assert log_e_path(D, kind="sign flips") == pytest.approx(LOG_FLIPS, abs=5e-9)
    above, below = log_e_greater_path(D), log_e_greater_path(-D)
    assert above[[1, 5, 7]] == pytest.approx([1.35326806, 4.48485120, 4.07555048], abs=5e-9)
    assert below[[1, 5, 7]] == pytest.approx([-1.43835098, -2.37066393, -2.57395397], abs=5e-9)
    found = look(D, margin=1.0)
    assert found.p == pytest.approx(0.022533389435213238, rel=1e-9)
    assert found.interval.low == pytest.approx(0.08171350335686905, rel=1e-9)
    assert found.interval.high == pytest.approx(0.6631674804053915, rel=1e-9)
    assert found.p_equivalence == pytest.approx(0.0009284237686564637, rel=1e-9)


@pytest.mark.parametrize(("n", "t"), [(2, 1.5), (5, -4.0), (12, 3.0)])
def test_the_closed_form_is_the_mixture_that_it_claims_to_be(n: int, t: float) -> None:
    """The likelihood ratio of t, integrated over the prior of d_z."""

    def density(delta: float) -> float:
        at_delta = stats.nct.pdf(t, n - 1, delta * math.sqrt(n))
        ratio = at_delta / stats.t.pdf(t, n - 1)
        return float(stats.norm.pdf(delta, 0, math.sqrt(G)) * ratio)

    near = sorted({0.0, t / math.sqrt(n)})
    both = integrate.quad(density, -20, 20, limit=200, points=near)[0]
    assert math.exp(log_e(np.array(n), share(n, t))) == pytest.approx(both, rel=1e-9)
    upper = 2 * integrate.quad(density, 0, 20, limit=200, points=[abs(near[0]) + 1e-3])[0]
    one_sided = log_e_greater(np.array(n), share(n, t), np.sign(t))
    assert math.exp(one_sided) == pytest.approx(upper, rel=1e-7)


def test_the_e_value_is_a_martingale_under_the_null() -> None:
    """The mean over the next difference is the e-value before it: what Ville's inequality needs."""
    past = np.array([0.3, -0.1, 0.8])
    size = math.sqrt(float((past * past).sum()))

    def weighted(angle: float) -> float:
        after = log_e_path(np.append(past, math.tan(angle) * size))[-1]
        return math.exp(after) * math.cos(angle) ** 2

    half = math.pi / 2 - 1e-9
    mean = integrate.quad(weighted, -half, half, limit=200)[0] / (math.pi / 2)
    assert mean == pytest.approx(math.exp(log_e_path(past)[-1]), rel=1e-7)


def test_sign_flips_have_mean_one_over_all_sign_patterns() -> None:
    """Exactly, for differences of any size: it assumes symmetry and nothing else."""
    sizes = np.abs(np.random.default_rng(0).standard_t(2, 7))
    signs = np.array(list(itertools.product((1, -1), repeat=7)))
    e = np.exp(log_e_path(signs * sizes, kind="sign flips")[:, -1])
    assert e.mean() == pytest.approx(1, rel=1e-12)
    assert e.max() <= 2**6


def test_fewest_seeds_for_a_call() -> None:
    """A report says so before the first run; n - 1 seeds can never make the call."""
    found = {m: fewest_seeds(m) for m in (1, 2, 4, 8, 16, 32)}
    assert found == {1: 4, 2: 5, 4: 5, 8: 6, 16: 6, 32: 7}
    for m, n in found.items():
        largest = log_e(np.array([n - 1.0, n]), np.ones(2))
        assert largest[0] < math.log(m / 0.05) <= largest[1]
    assert fewest_seeds(8, kind="sign flips") == 9


def test_the_interval_excludes_zero_exactly_where_p_is_at_most_alpha() -> None:
    """A reader sees both, and they must agree; the critical t is where e is 1/alpha."""
    t = critical_t(np.array([5.0, 20.0]), 0.05)
    assert log_e(np.array([5.0, 20.0]), share(np.array([5, 20]), t)) == pytest.approx(math.log(20))  # type: ignore[arg-type]
    assert critical_t(np.array([3.0]), 0.05) == math.inf
    rng, seen = np.random.default_rng(1), set()
    for _ in range(200):
        found = look(rng.normal(0.8, 1, int(rng.integers(1, 20))))
        assert (found.p <= 0.05) == found.interval.excludes(0.0)
        seen.add(found.p <= 0.05)
    assert seen == {True, False}


def test_p_never_rises_and_speaks_of_the_side_on_which_it_fell() -> None:
    """A call stands when the mean has come back since; the text then shows a negative size."""
    d = np.array([*[1.0, 1.2, 0.9, 1.1, 1.0], *[-3.0] * 6])
    ps = [look(d[:n]).p for n in range(1, len(d) + 1)]
    assert ps == sorted(ps, reverse=True)
    assert look(d).difference > 0 > d.mean()


def test_differences_without_spread_give_no_more_than_their_signs() -> None:
    """Five equal differences are no proof of five sigma: accuracies go in steps."""
    found = look(np.full(5, 0.1) + 98.7 - 98.7, scale=98.7)
    assert math.exp(found.log_e[-1]) <= 16
    assert math.isnan(found.interval.low)
    equal = look(np.zeros(6), margin=0.1)
    assert (equal.p, equal.p_equivalence) == (1.0, 2.0**-5)
    with pytest.raises(ValueError, match="margin"):
        p_equivalent(D, 0.0)


def test_looks_at_every_seed_call_equals_in_less_than_alpha() -> None:
    """Paths of 30 seeds, 20,000 of them: e is .024 by exact quadrature, where t at each is .27."""
    log_es = log_e_path(simulated(0.0, 20_000))
    rate = (log_es[:, 1:] >= math.log(20)).any(1).mean()
    assert rate == pytest.approx(0.024, abs=0.005)
    flips = log_e_path(simulated(0.0, 5_000, seed=1), kind="sign flips")
    assert (flips >= math.log(20)).any(1).mean() < 0.035


@pytest.mark.parametrize(("delta", "power", "mean_seeds"), [(1.0, 0.86, 12.5), (2.0, 1.0, 6.4)])
def test_power_and_mean_number_of_seeds_by_a_cap_of_20(
    delta: float, power: float, mean_seeds: float
) -> None:
    """What a reader may expect of a study; looks at every n from 4 on."""
    called = log_e_path(simulated(delta, 4_000, 20)) >= math.log(20)
    called[:, :3] = False
    assert called.any(1).mean() == pytest.approx(power, abs=0.02)
    seeds = np.where(called.any(1), called.argmax(1) + 1, 20)
    assert seeds.mean() == pytest.approx(mean_seeds, abs=0.3)


def test_equivalence_is_claimed_where_it_holds_and_rarely_at_the_margin() -> None:
    """True difference 0, margin 1.5 sd, cap 20: nearly always; at the margin itself .025."""
    here = [p_equivalent(d, 1.5) <= 0.05 for d in simulated(0.0, 200, 20)]
    there = [p_equivalent(d, 1.5) <= 0.05 for d in simulated(1.5, 400, 20, seed=2)]
    assert np.mean(here) > 0.97
    assert np.mean(there) < 0.05


def test_advice_is_the_first_number_of_seeds_at_which_the_effect_is_called() -> None:
    """More for a larger family, none for no effect, and never fewer than can call at all."""
    t = critical_t(np.array([13.0, 14.0]), 0.05)
    assert math.sqrt(13) < t[0]
    assert math.sqrt(14) >= t[1]
    assert seeds_for_call(1.0, 20.0) == 14
    assert seeds_for_call(1.0, 160.0) == 20
    assert seeds_for_call(math.inf, 20.0) == fewest_seeds(1)
    assert seeds_for_call(0.0, 20.0) is None
    assert seeds_for_call(5.0, 20.0, at_least=9) == 9


def test_chances_are_small_where_nothing_is_and_the_same_each_time() -> None:
    """A variant is given up by this number, so a resumed sweep must find the same one."""
    nothing = np.array([0.5, -0.4, 0.1, -0.3, 0.2, -0.1, 0.05])
    options = {"more": 13, "threshold": 160.0, "rng_seed": 5}
    chance = chance_of_verdict(nothing, **options)  # type: ignore[arg-type]
    assert chance < 0.05
    assert chance == chance_of_verdict(nothing, **options)  # type: ignore[arg-type]
    assert chance_of_verdict(nothing + 2, **options) > 0.95  # type: ignore[arg-type]
    assert chance_of_verdict(nothing, margin=1.0, **options) > 0.5  # type: ignore[arg-type]
    assert chance_of_verdict(nothing, more=0, threshold=160.0) == 0.0
    assert chance_of_verdict(nothing[:1], more=5, threshold=160.0) == 1.0


def looks_of(*rows: np.ndarray, margin: float | None = None) -> tuple[list[object], list[Looks]]:
    pairs = [(row, np.zeros(len(row))) for row in rows]
    return [paired_comparison(a, b) for a, b in pairs], [look(r, margin=margin) for r in rows]


def test_verdicts_of_a_family_name_the_looks_they_hold_for() -> None:
    """Word, correction, interval and the number of seeds at which it was decided."""
    strong, weak = np.tile([1.0, 1.2, 0.8], 4), np.tile([0.3, -0.5, 0.4], 4)
    comparisons, looks = looks_of(strong, weak, margin=2.0)
    rule = Rule(unit="points", margin=2.0)
    first, second = judge_looks(comparisons, looks, rule)  # type: ignore[arg-type]
    assert (first.word, second.word) == ("better", "equivalent")
    assert first.is_anytime
    assert first.decided_at == 5
    assert first.p_adjusted == pytest.approx(2 * looks[0].p)
    assert "95 % confidence sequence" in first.text
    assert "anytime-valid p<.0001 Holm over 2, n=12; decided at 5 seeds" in first.text
    assert "but within the margin of 2 points" in first.text
    assert "anytime-valid TOST p<.0001; 95 %" in second.text


def test_comparisons_without_seeds_count_in_the_correction() -> None:
    """Who looks early must not get a smaller family; a planned look keeps the t-test."""
    comparisons, looks = looks_of(np.tile([1.0, 1.2, 0.8], 2))
    (alone,) = judge_looks(comparisons, looks, Rule())  # type: ignore[arg-type]
    (among,) = judge_looks(comparisons, looks, Rule(), num_unseen=7)  # type: ignore[arg-type]
    assert among.p_adjusted == pytest.approx(8 * alone.p_adjusted)
    (planned,) = judge_looks(comparisons, [None], Rule())  # type: ignore[arg-type]
    assert not planned.is_anytime
    assert planned.p == comparisons[0].p_t  # type: ignore[attr-defined]


def test_an_undecided_verdict_says_from_when_on_a_call_is_possible() -> None:
    """Three seeds of a huge effect are not called, and the reader is told why."""
    comparisons, looks = looks_of(np.array([3.0, 3.1, 2.9]))
    (verdict,) = judge_looks(comparisons, looks, Rule(), num_unseen=7)  # type: ignore[arg-type]
    assert verdict.word == "not distinguishable"
    assert verdict.needed_seeds == 6
    assert "no interval yet" in verdict.text
    assert "no call is possible before 6 seeds, n=3" in verdict.text
    assert "needs about 3 more seeds" in verdict.text
