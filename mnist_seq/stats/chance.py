"""Whether a classifier has learnt anything at all."""

from scipy.special import bdtrc

from mnist_seq.stats.samples import check_fraction


def chance_p(accuracy: float, n: int, *, chance: float, num_looks: int = 1) -> float:
    """How likely a guess is to look at least this good at the best of several evaluations.

    P(X >= accuracy n), X binomial, times the number of evaluations (Bonferroni), at most 1: one
    that guesses anew each time has that many tries, and its best one is what is looked at.

    Args:
        accuracy: of the best evaluation, as a fraction.
        n: examples that it was read on.
        chance: what a guess gets: the share of the most frequent class, at least 1 / classes.
        num_looks: evaluations that the best one was taken from.

    Raises:
        ValueError: an accuracy that no n examples give, no examples, no evaluations, or a chance
            outside (0, 1).
    """
    check_fraction("chance", chance)
    if not 0 <= accuracy <= 1 or n < 1 or num_looks < 1:
        raise ValueError(
            f"an accuracy is a fraction of n >= 1 examples at one evaluation or more, but is "
            f"{accuracy} of n={n} at {num_looks}; give 0.97 for 97 %"
        )
    hits = round(accuracy * n)
    tail = float(bdtrc(hits - 1, n, chance)) if hits > 0 else 1.0
    return min(1.0, num_looks * tail)
