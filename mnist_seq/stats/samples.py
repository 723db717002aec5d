"""Checks samples (one finite number a run) and computes their means and spreads."""

import numpy as np
from jaxtyping import Float

ROUNDING = 1e-12  # a spread below this share of the values is float64 rounding, not noise


def check_sample(name: str, x: Float[np.ndarray, " N"], *, at_least: int) -> None:
    """Refuse a sample that is not one-dimensional, not finite, or too short.

    Raises:
        ValueError: not one-dimensional, fewer than `at_least` values, or a NaN or infinity (a
            diverged run is counted by the caller, never dropped here).
    """
    if x.ndim != 1:
        raise ValueError(
            f"a sample is one-dimensional, but {name} has shape {x.shape}; give one value a run"
        )
    if len(x) < at_least:
        raise ValueError(f"this needs n >= {at_least}, but {name} has n={len(x)}; add seeds")
    if not np.isfinite(x).all():
        bad = np.flatnonzero(~np.isfinite(x)).tolist()
        raise ValueError(
            f"values must be finite, but {name} is not at positions {bad}; count diverged runs "
            "apart and leave their seeds out on both sides"
        )


def paired_differences(
    a: Float[np.ndarray, " N"], b: Float[np.ndarray, " N"]
) -> Float[np.ndarray, " N"]:
    """a - b for each seed, in float64; differences that are equal but for rounding are made equal.

    Raises:
        ValueError: unequal lengths, N < 2, or a value that is not finite on either side.
    """
    check_sample("a", a, at_least=2)
    check_sample("b", b, at_least=2)
    if len(a) != len(b):
        raise ValueError(
            f"pairs need one value a seed on both sides, but a has {len(a)} and b has {len(b)}; "
            "keep the common seeds, or compare unpaired"
        )
    a64, b64 = a.astype(np.float64), b.astype(np.float64)
    differences = a64 - b64
    # (b + 0.1) - b differs between seeds by rounding; taken as noise, it would give t = 1e15
    if np.ptp(differences) <= ROUNDING * max(np.abs(a64).max(), np.abs(b64).max()):
        differences[:] = differences[0]
    return differences


def mean(x: Float[np.ndarray, " N"]) -> float:
    """Mean; exactly the common value where all are equal (numpy's mean may differ by rounding)."""
    return float(x[0]) if np.ptp(x) == 0 else float(x.mean())


def sd(x: Float[np.ndarray, " N"]) -> float:
    """Sample standard deviation (n - 1); exactly 0 where all values are equal."""
    return 0.0 if np.ptp(x) == 0 else float(x.std(ddof=1))


def check_fraction(name: str, value: float) -> None:
    """Refuse a value that is not strictly between 0 and 1 (a level, alpha, power).

    Raises:
        ValueError: value outside (0, 1).
    """
    if not 0 < value < 1:
        raise ValueError(f"{name} lies between 0 and 1, but is {value}; give 0.95 for 95 %")
