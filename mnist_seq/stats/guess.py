"""Tests whether a classifier is better than a guess."""

from scipy.special import bdtrc

from mnist_seq.stats.samples import check_fraction


def guess_p(accuracy: float, n: int, *, guess: float, num_evaluations: int = 1) -> float:
    """Probability that a guess reaches this accuracy in the best of several evaluations.

    One-sided: P(X >= accuracy * n), X binomial, times the number of evaluations (Bonferroni), at
    most 1. The correction is needed because `accuracy` is the best of these evaluations.

    Args:
        accuracy: of the best evaluation, as a fraction.
        n: number of examples in an evaluation.
        guess: accuracy of a guess, the share of the most frequent class; at least 1 / classes.
        num_evaluations: number of evaluations of which `accuracy` is the best.

    Raises:
        ValueError: accuracy outside 0..1, n < 1, num_evaluations < 1, or guess outside (0, 1).
    """
    check_fraction("guess", guess)
    if not 0 <= accuracy <= 1 or n < 1 or num_evaluations < 1:
        raise ValueError(
            f"an accuracy is a fraction of n >= 1 examples at one evaluation or more, but is "
            f"{accuracy} of n={n} at {num_evaluations}; give 0.97 for 97 %"
        )
    hits = round(accuracy * n)
    tail = float(bdtrc(hits - 1, n, guess)) if hits > 0 else 1.0
    return min(1.0, num_evaluations * tail)
