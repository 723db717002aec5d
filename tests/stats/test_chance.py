"""Is a run above chance?"""

from math import comb

import pytest

from mnist_seq.stats import chance_p


def test_the_tail_is_the_binomial_sum() -> None:
    """7 or more of 10 at 0.3, added up by hand."""
    want = sum(comb(10, k) * 0.3**k * 0.7 ** (10 - k) for k in range(7, 11))
    assert chance_p(0.7, 10, chance=0.3) == pytest.approx(want, rel=1e-12)
    assert chance_p(0.7, 10, chance=0.3, num_looks=4) == pytest.approx(4 * want, rel=1e-12)


def test_a_guess_is_chance_and_a_little_learning_is_not() -> None:
    """Of 5,000 images 1 in 9 is a one: 11.35 % is a net that always says so; 15 % is none."""
    assert chance_p(0.1135, 5000, chance=0.1135, num_looks=20) == 1
    assert chance_p(0.15, 5000, chance=0.1135, num_looks=20) < 1e-9
    assert chance_p(0.15, 40, chance=0.1135) > 0.1, "of 40 images 15 % is a guess's luck"


def test_all_wrong_and_all_right_are_no_special_cases() -> None:
    assert chance_p(0.0, 10, chance=0.1) == 1
    assert chance_p(1.0, 3, chance=0.1) == pytest.approx(1e-3)


@pytest.mark.parametrize(
    ("accuracy", "n", "chance", "looks"),
    [(97.0, 10, 0.1, 1), (0.9, 0, 0.1, 1), (0.9, 10, 0.0, 1), (0.9, 10, 0.1, 0)],
)
def test_what_is_no_accuracy_is_refused(accuracy: float, n: int, chance: float, looks: int) -> None:
    with pytest.raises(ValueError, match=r"accuracy|chance"):
        chance_p(accuracy, n, chance=chance, num_looks=looks)
