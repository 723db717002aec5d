"""Tests whether a model is better than a guess."""

import math

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import bdtrc, stdtr

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


def squared_error_p(
    targets: Float[np.ndarray, "N V"],
    predictions: Float[np.ndarray, "N V"],
    counts: Bool[np.ndarray, "N V"] | None = None,
) -> float:
    """Probability that a guess has a mean squared error as small as these predictions have.

    One-sided paired t-test over examples: error of a guess minus error of the prediction. The guess
    is the mean of the targets, the best answer that ignores the input. The values of one example
    may depend on each other: each example counts once, with the mean over its values.

    Args:
        targets, predictions: V values of each of N examples, which are independent.
        counts: the values that count, one or more of each example; None for all.

    Raises:
        ValueError: N < 2, or unequal shapes.

    Source: Student 1908; Diebold & Mariano 1995 for losses of two predictors, here independent.
    """
    if targets.shape != predictions.shape or len(targets) < 2:
        raise ValueError(
            f"errors are compared over n >= 2 examples with a prediction each, but the shapes are "
            f"{targets.shape} and {predictions.shape}; give one row an example"
        )
    wide = targets.astype(np.float64)
    if counts is None:
        of_guess = ((wide - wide.mean(axis=0)) ** 2).mean(axis=1)
        gain = of_guess - ((wide - predictions) ** 2).mean(axis=1)
    else:
        means = (wide * counts).sum(axis=0) / np.maximum(counts.sum(axis=0), 1)
        gains = (wide - means) ** 2 - (wide - predictions) ** 2
        gain = (gains * counts).sum(axis=1) / counts.sum(axis=1)
    error = float(gain.std(ddof=1)) / math.sqrt(len(gain))
    if error == 0:
        return 0.0 if gain.mean() > 0 else 1.0
    return float(stdtr(len(gain) - 1, -gain.mean() / error))
