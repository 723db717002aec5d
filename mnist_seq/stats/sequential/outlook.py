"""Before the next seed: is a call possible at all, how many seeds does it need, its chances."""

import math

import numpy as np
from jaxtyping import Float

from mnist_seq.stats.power import MOST_SEEDS
from mnist_seq.stats.sequential.evalues import (
    G,
    Kind,
    log_e,
    log_e_greater_path,
    log_e_path,
)

NUM_FUTURES = 400  # the standard error of a chance of 5 % is then 1 %


def fewest_seeds(num_comparisons: int, *, alpha: float = 0.05, kind: Kind = "mixture") -> int:
    """Fewest seeds at which any variant of a family can be called better or worse.

    The largest e-value of n differences is (1 + nG)^((n - 1)/2), or 2^(n - 1) of sign flips; a call
    needs num_comparisons / alpha.
    """
    threshold = math.log(num_comparisons / alpha)
    n = 2
    while _largest_log_e(n, kind) < threshold:
        n += 1
    return n


def _largest_log_e(n: int, kind: Kind) -> float:
    return (n - 1) * (math.log(2) if kind == "sign flips" else math.log1p(n * G) / 2)


def seeds_for_call(
    effect: float, threshold: float, *, at_least: int = 2, kind: Kind = "mixture"
) -> int | None:
    """About how many seeds make a call, if the effect stays what it is: e(n) >= threshold.

    Args:
        effect: d_z, the mean difference in units of the spread of the differences.
        threshold: comparisons / alpha.
        at_least: answers below it are not looked at.

    Returns:
        None if more than 1,000 are needed.
    """
    n = np.arange(2.0, MOST_SEEDS + 1)
    share = np.ones_like(n)
    if math.isfinite(effect):
        share = n * effect**2 / (n - 1 + n * effect**2)
    enough = log_e(n, share) >= math.log(threshold)
    if kind == "sign flips":
        enough &= (n - 1) * math.log(2) >= math.log(threshold)
    found = n[enough & (n >= at_least)]
    return int(found[0]) if len(found) else None


def chance_of_verdict(
    d: Float[np.ndarray, " N"],
    *,
    more: int,
    threshold: float,
    alpha: float = 0.05,
    margin: float | None = None,
    kind: Kind = "mixture",
    rng_seed: int = 0,
) -> float:
    """Chance that a variant is called, or shown equivalent, within `more` further seeds.

    Futures are drawn from the posterior of mean and spread under flat priors (1/sigma). The chance
    says where seeds are worth it. No error rate rests on it: to stop early loses power only.

    Args:
        threshold: comparisons that are still open / alpha.
        margin: smallest difference that matters, if one was declared.

    Returns:
        A multiple of 1/400; 1 for fewer than two differences, which say nothing yet.
    """
    n = len(d)
    if more <= 0:
        return 0.0
    if n < 2:
        return 1.0
    rng = np.random.default_rng(rng_seed)
    sigma = d.std(ddof=1) * np.sqrt((n - 1) / rng.chisquare(n - 1, NUM_FUTURES))
    mu = d.mean() + sigma / math.sqrt(n) * rng.standard_normal(NUM_FUTURES)
    noise = rng.standard_normal((NUM_FUTURES, more))
    future = mu[:, None] + sigma[:, None] * noise
    path = np.concatenate([np.broadcast_to(d, (NUM_FUTURES, n)), future], axis=1)
    hits = (log_e_path(path, kind=kind)[:, n:] >= math.log(threshold)).any(1)
    if margin is not None:
        above = np.maximum.accumulate(log_e_greater_path(path + margin), axis=1)
        below = np.maximum.accumulate(log_e_greater_path(margin - path), axis=1)
        hits |= (np.minimum(above, below)[:, n:] >= -math.log(alpha)).any(1)
    return float(hits.mean())
