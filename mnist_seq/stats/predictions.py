"""Compares trained classifiers on the same test examples."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Integer
from scipy.special import bdtr

from mnist_seq.stats.intervals import Interval
from mnist_seq.stats.samples import check_fraction


@dataclass(frozen=True)
class McNemar:
    """McNemar test of one pair of models on n test examples.

    It compares two trained models, not two methods: one seed of each says nothing about the spread
    over seeds.

    Attributes:
        only_a, only_b: number of examples that only this model classifies correctly.
        difference: accuracy of a minus accuracy of b, a fraction.
        p: exact, two-sided; 1 where both models are correct on the same examples.
    """

    n: int
    only_a: int
    only_b: int
    difference: float
    p: float


@dataclass(frozen=True)
class McNemarOverSeeds:
    """Number of pairs of models that differ at alpha; the p values are not adjusted.

    Attributes:
        num_a_better, num_b_better: pairs with p < alpha in which this model has more correct.
        num_undecided: the other pairs.
        pairs: the test of each pair.
    """

    num_pairs: int
    num_a_better: int
    num_b_better: int
    num_undecided: int
    pairs: tuple[McNemar, ...]


@dataclass(frozen=True)
class Disagreements:
    """How often variant and baseline are correct on every test example.

    Attributes:
        right_a, right_b: for each example, the share of the seeds that classify it correctly.
        lost: indices of examples that most seeds of b classify correctly and most of a do not;
            largest gap between the shares first.
        gained: the reverse of `lost`.
        contested: indices of examples that some runs of both sides classify correctly and some do
            not; shares nearest to one half first.
    """

    right_a: Float[np.ndarray, " N"]
    right_b: Float[np.ndarray, " N"]
    lost: Integer[np.ndarray, " L"]
    gained: Integer[np.ndarray, " K"]
    contested: Integer[np.ndarray, " M"]


def mcnemar(correct_a: Bool[np.ndarray, " N"], correct_b: Bool[np.ndarray, " N"]) -> McNemar:
    """Exact McNemar test of two models on the same test examples.

    Args:
        correct_a, correct_b: whether each example is classified correctly, in the same order.

    Raises:
        ValueError: no examples, unequal lengths, or values that are not booleans.

    Source: McNemar 1947, as the binomial test of the discordant examples.
    """
    for name, correct in (("correct_a", correct_a), ("correct_b", correct_b)):
        if correct.dtype != np.bool_ or correct.ndim != 1 or len(correct) == 0:
            raise ValueError(
                f"McNemar takes one boolean an example, but {name} has dtype {correct.dtype} and "
                f"shape {correct.shape}; pass predictions == labels"
            )
    if len(correct_a) != len(correct_b):
        raise ValueError(
            f"McNemar compares the same examples, but there are {len(correct_a)} and "
            f"{len(correct_b)}; use one test set"
        )
    n = len(correct_a)
    only_a = int((correct_a & ~correct_b).sum())
    only_b = int((correct_b & ~correct_a).sum())
    p = min(1.0, 2 * float(bdtr(min(only_a, only_b), only_a + only_b, 0.5)))
    return McNemar(n, only_a, only_b, (only_a - only_b) / n, p)


def mcnemar_over_seeds(
    pairs: Sequence[tuple[Bool[np.ndarray, " N"], Bool[np.ndarray, " N"]]], *, alpha: float = 0.05
) -> McNemarOverSeeds:
    """McNemar test of each seed's pair of models, and the number of pairs that differ.

    Two seeds of one method are two models, and they often differ in this test. The number of pairs
    therefore says how consistent a difference is, not that the method causes it.

    Raises:
        ValueError: as `mcnemar`.
    """
    tests = tuple(mcnemar(a, b) for a, b in pairs)
    num_a = sum(t.p < alpha and t.difference > 0 for t in tests)
    num_b = sum(t.p < alpha and t.difference < 0 for t in tests)
    return McNemarOverSeeds(len(tests), num_a, num_b, len(tests) - num_a - num_b, tests)


def bootstrap_over_examples(
    test: McNemar, level: float = 0.95, *, num_resamples: int = 10_000, rng_seed: int = 0
) -> Interval:
    """Paired bootstrap interval of the difference in accuracy of one pair of models.

    Test examples are drawn with replacement, each with the answers of both models. Only the numbers
    of examples that one model alone classifies correctly matter, so these are drawn.

    It covers other test examples, and no other seeds: it compares two trained models.

    Args:
        test: the counts of the pair, from `mcnemar`.

    Returns:
        Percentiles of the resampled differences, fractions. "constant" where both models are
        correct on the same examples.

    Raises:
        ValueError: a level outside (0, 1).

    Source: Efron & Tibshirani 1993, section 13.3.
    """
    check_fraction("level", level)
    if test.only_a + test.only_b == 0:
        return Interval(0.0, 0.0, level, "constant")
    shares = np.array([test.only_a, test.only_b, test.n - test.only_a - test.only_b]) / test.n
    drawn = np.random.default_rng(rng_seed).multinomial(test.n, shares, size=num_resamples)
    differences = (drawn[:, 0] - drawn[:, 1]) / test.n
    low, high = np.quantile(differences, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level, "bootstrap")


def confusion_matrix(
    labels: Integer[np.ndarray, " N"], predictions: Integer[np.ndarray, " N"], num_classes: int
) -> Integer[np.ndarray, "C C"]:
    """Counts of examples: row is the label, column the prediction.

    Raises:
        ValueError: unequal lengths, or a class outside 0..num_classes - 1.
    """
    if labels.shape != predictions.shape:
        raise ValueError(
            f"each example has one label and one prediction, but shapes are {labels.shape} and "
            f"{predictions.shape}; use predictions of this test set"
        )
    for name, classes in (("labels", labels), ("predictions", predictions)):
        if len(classes) and not 0 <= classes.min() <= classes.max() < num_classes:
            raise ValueError(
                f"classes are 0..{num_classes - 1}, but {name} span {classes.min()} to "
                f"{classes.max()}; give the data set's num_classes"
            )
    cells = labels.astype(np.int64) * num_classes + predictions.astype(np.int64)
    return np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)


def disagreements(
    labels: Integer[np.ndarray, " N"],
    preds_a: Integer[np.ndarray, "R N"],
    preds_b: Integer[np.ndarray, "S N"],
) -> Disagreements:
    """Examples on which a variant and its baseline differ, over all seeds of each.

    Args:
        preds_a, preds_b: predictions of variant and baseline, one row a seed; the numbers of seeds
            may differ.

    Raises:
        ValueError: no seeds on a side, or another number of examples than labels.
    """
    for name, preds in (("preds_a", preds_a), ("preds_b", preds_b)):
        if preds.ndim != 2 or len(preds) == 0 or preds.shape[1] != len(labels):
            raise ValueError(
                f"predictions are one row a seed, one column an example ({len(labels)} here), "
                f"but {name} has shape {preds.shape}; use predictions of this test set"
            )
    hits_a, hits_b = preds_a == labels, preds_b == labels
    right_a, right_b = hits_a.mean(axis=0), hits_b.mean(axis=0)
    gap = right_a - right_b
    right_all = np.concatenate([hits_a, hits_b]).mean(axis=0)
    return Disagreements(
        right_a=right_a,
        right_b=right_b,
        lost=_first((right_b > 0.5) & (right_a < 0.5), gap),
        gained=_first((right_a > 0.5) & (right_b < 0.5), -gap),
        contested=_first((right_all > 0) & (right_all < 1), np.abs(right_all - 0.5)),
    )


def _first(
    where: Bool[np.ndarray, " N"], rank: Float[np.ndarray, " N"]
) -> Integer[np.ndarray, " M"]:
    """Indices of the examples in `where`, smallest rank first; equal ranks keep their order."""
    chosen = np.flatnonzero(where)
    return chosen[np.argsort(rank[chosen], kind="stable")]
