"""Permutation tests: p is the share of rearrangements at least as extreme as the data."""

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float
from scipy.special import gammaln

from mnist_seq.stats.samples import check_sample

SIGN_FLIP_EXACT_N = 36  # exact up to this N; two halves of 2^18 sums take about 60 ms and 10 MB
SPLIT_EXACT_COUNT = 20_000  # exact up to this number of splits: 8 + 8 seeds have 12,870
NUM_RANDOM = 20_000  # random rearrangements; the standard error of p = .05 is then .0015
TIE = 1e-9  # statistics that differ by less than this share of the largest one count as equal


@dataclass(frozen=True)
class PermutationTest:
    """Result of a permutation test.

    Attributes:
        p: two-sided.
        is_exact: whether all rearrangements were counted, or `NUM_RANDOM` random ones.
        floor: smallest p that the test could give with this number of values.
    """

    p: float
    is_exact: bool
    floor: float


def _signed_sums(d: Float[np.ndarray, " N"]) -> Float[np.ndarray, " M"]:
    """The sums of d under all 2^N sign patterns, sorted."""
    sums = np.zeros(1)
    for value in d:
        sums = np.concatenate([sums - value, sums + value])
        sums.sort(kind="stable")  # merges its two sorted halves: three times as fast as one sort
    return sums


def sign_flip_test(d: Float[np.ndarray, " N"], *, rng_seed: int = 0) -> PermutationTest:
    """Two-sided sign-flip test of mean(d) = 0: the paired permutation test.

    Exact up to N = 36. All 2^N sign patterns are counted without listing them: d is cut in two
    halves, the sums of each half are sorted, and for every sum of one half a binary search counts
    the extreme partners in the other. Above N = 36 the test takes 20,000 random patterns and adds 1
    to both counts, so that p is never 0.

    Args:
        d: one difference a seed. Zeros are kept; they only raise the floor.

    Returns:
        `floor` is 2^(1 - N) where no difference is 0.

    Raises:
        ValueError: N < 1, or a value that is not finite.

    Source: Fisher 1935; +1 in Phipson & Smyth 2010, arXiv:1603.05766.
    """
    check_sample("d", d, at_least=1)
    n = len(d)
    d64 = d.astype(np.float64)
    largest = float(np.abs(d64).sum())
    observed = abs(float(d64.sum()))
    floor = min(1.0, 2.0 ** (1 - int(np.count_nonzero(d64))))
    if observed <= TIE * largest:  # every pattern is at least as extreme; also where all are 0
        return PermutationTest(1.0, n <= SIGN_FLIP_EXACT_N, floor)
    threshold = observed - TIE * largest
    if n <= SIGN_FLIP_EXACT_N:
        left, right = _signed_sums(d64[: n // 2]), _signed_sums(d64[n // 2 :])
        # signs come in mirror pairs, so the lower tail is as large as the upper one
        below = np.searchsorted(
            right, threshold - left[::-1], side="left"
        )  # rising: near in memory
        count = 2 * int((len(right) - below).sum())
        return PermutationTest(count / 2**n, True, floor)
    rng = np.random.default_rng(rng_seed)
    count = 0
    chunk = 10_000  # keeps the sign matrix at a few MB
    for _ in range(NUM_RANDOM // chunk):
        sums = (2.0 * rng.integers(0, 2, size=(chunk, n)) - 1) @ d64
        count += int((np.abs(sums) >= threshold).sum())
    return PermutationTest((count + 1) / (NUM_RANDOM + 1), False, 1 / (NUM_RANDOM + 1))


def split_test(
    a: Float[np.ndarray, " N"], b: Float[np.ndarray, " M"], *, rng_seed: int = 0
) -> PermutationTest:
    """Two-sided permutation test of mean(a) = mean(b), for seeds that are not paired.

    Exact where the N + M values can be split in at most 20,000 ways (up to 8 + 8 seeds); otherwise
    20,000 random splits, with 1 added to both counts. Its null hypothesis is that a and b have one
    distribution; that of Welch's test is that they have one mean.

    Raises:
        ValueError: N < 1 or M < 1, or a value that is not finite.

    Source: Fisher 1935; +1 in Phipson & Smyth 2010, arXiv:1603.05766.
    """
    check_sample("a", a, at_least=1)
    check_sample("b", b, at_least=1)
    n, m = len(a), len(b)
    pool = np.concatenate([a, b]).astype(np.float64)
    pool -= pool.mean()  # the sum over one side then determines the difference of the means
    threshold = abs(float(pool[:n].sum())) - TIE * float(np.abs(pool).sum())
    count_all = math.comb(n + m, n)
    if count_all <= SPLIT_EXACT_COUNT:
        sides = np.array(list(combinations(range(n + m), n)))
        count = int((np.abs(pool[sides].sum(axis=1)) >= threshold).sum())
        floor = (2 if n == m else 1) / count_all  # with equal sizes each split has a mirror image
        return PermutationTest(count / count_all, True, floor)
    rng = np.random.default_rng(rng_seed)
    count = 0
    chunk = 10_000
    for _ in range(NUM_RANDOM // chunk):
        shuffled = rng.permuted(np.broadcast_to(pool, (chunk, n + m)), axis=1)
        count += int((np.abs(shuffled[:, :n].sum(axis=1)) >= threshold).sum())
    return PermutationTest((count + 1) / (NUM_RANDOM + 1), False, 1 / (NUM_RANDOM + 1))


def fisher_p(num_a: int, n_a: int, num_b: int, n_b: int) -> float:
    """Two-sided p of Fisher's exact test: `num_a` of `n_a` runs against `num_b` of `n_b`.

    The permutation test of counts. It takes the runs of both sides as independent; pairs that share
    a seed make it conservative.

    Raises:
        ValueError: a count below 0, or above the number of runs of its side.

    Source: Fisher 1935; two-sided by the sum of all tables that are no more probable.
    """
    for count, n in ((num_a, n_a), (num_b, n_b)):
        if not 0 <= count <= n:
            raise ValueError(
                f"a count is one of 0 to {n} runs, but is {count}; count each run once"
            )
    total = num_a + num_b
    tables = np.arange(max(0, total - n_b), min(n_a, total) + 1)
    logs = _log_choose(n_a, tables) + _log_choose(n_b, total - tables)
    shares = np.exp(logs - logs.max())
    own = shares[num_a - tables[0]]
    return min(1.0, math.fsum(shares[shares <= own * (1 + 1e-9)]) / math.fsum(shares))


def _log_choose(n: int, k: np.ndarray) -> np.ndarray:
    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))
