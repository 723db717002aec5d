"""Examples in memory as NumPy arrays, and their checks against the spec of the task."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mnist_seq.tasks.spec import Spec


@dataclass(frozen=True, eq=False)
class Part:
    """Examples of the training set or of the test set, N of them.

    Args:
        x: values float32 or bytes [N, T, D], or tokens int64 [N, T]; any other shape if the task's
            `read` turns it into one of these.
        y: classes int64 [N], or [N, T] for a class at each time step; bits (0 or 1) and values
            float32 [N, K], or [N, T, K]. The last axis may be missing if K is 1.
        lengths: int64 [N], the lengths of the sequences if they differ; `x` is padded at the end.
        mask: bool [N, T], the time steps whose `y` counts; None for all.
    """

    x: np.ndarray
    y: np.ndarray
    lengths: np.ndarray | None = None
    mask: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Scale:
    """What `Task.load` took from each channel of x, float64 [D]: (x - mean) / sd."""

    mean: np.ndarray
    sd: np.ndarray

    def of(self, x: np.ndarray) -> np.ndarray:
        """Values [..., D] on this scale, float32."""
        found: np.ndarray = ((x - self.mean) / self.sd).astype(np.float32)
        return found


@dataclass(frozen=True)
class Examples:
    """The result of `Task.load`: the training set, which the run splits, and the test set.

    Args:
        scale: of x, where `load` scaled it by numbers of the training set: a run records it, so
            that other examples can be read alike.
    """

    train: Part
    test: Part
    scale: Scale | None = field(default=None, kw_only=True)

    def record(self) -> dict[str, dict[str, list[float]]]:
        """What run.json holds of them."""
        if self.scale is None:
            return {}
        return {"scale": {"mean": self.scale.mean.tolist(), "sd": self.scale.sd.tolist()}}


def checked(examples: Examples, spec: Spec, sizes: Mapping[str, int], name: str) -> Examples:
    """The checked examples; `y` of bits and values gets its last axis if it is missing.

    Raises:
        ValueError: they contradict the spec; the message names the part and the array.
    """
    return Examples(
        *(
            _checked(part, spec, size, f"data={name}, {what}")
            for part, (what, size) in zip(
                (examples.train, examples.test), sizes.items(), strict=True
            )
        ),
        scale=examples.scale,
    )


def _checked(part: Part, spec: Spec, size: int, where: str) -> Part:
    def refuse(what: str, rule: str, found: object) -> None:
        raise ValueError(f"{where}: {what} must {rule}: found {found}")

    if len(part.x) != size:
        refuse("x", f"hold the {size:,} examples that the task names", f"{len(part.x):,}")
    _check_values(part.x, "x", refuse)
    if spec.input == "token" and (part.x.min() < 0 or part.x.max() >= spec.input_size):
        refuse("x", f"be tokens 0 to {spec.input_size - 1}", f"{part.x.min()} to {part.x.max()}")
    _check_lengths(part, spec, refuse)
    mask = _mask(part, spec, refuse)
    y = _targets(part.y, (len(part.x), *(spec.time_steps,) * spec.per_step), spec, refuse)
    counted = y if mask is None else y[mask]
    _check_values(counted, "y", refuse)
    if spec.output == "class" and (counted.min() < 0 or counted.max() >= spec.num_outputs):
        refuse(
            "y", f"be classes 0 to {spec.num_outputs - 1}", f"{counted.min()} to {counted.max()}"
        )
    if spec.output == "bits" and not np.isin(counted, (0, 1)).all():
        refuse("y", "be bits, 0 or 1", "other numbers")
    if mask is not None:  # targets that do not count may be anything, and are set to 0
        y = np.where(mask.reshape(*mask.shape, *(1,) * (y.ndim - 2)), y, np.zeros((), y.dtype))
    return replace(part, y=y, mask=mask)


def _check_lengths(part: Part, spec: Spec, refuse: Any) -> None:
    lengths, wanted = part.lengths, (len(part.x),)
    if (lengths is not None) != spec.varied:
        rule = f"be given where Spec.varied is true, and only there: it is {spec.varied}, lengths"
        refuse("lengths", rule, "None" if lengths is None else f"of shape {lengths.shape}")
    if lengths is None:
        return
    if lengths.dtype != np.int64 or lengths.shape != wanted:
        refuse("lengths", f"be int64 of shape {wanted}", f"{lengths.dtype} of {lengths.shape}")
    if lengths.min() < 1 or lengths.max() > spec.time_steps:
        refuse("lengths", f"be 1 to {spec.time_steps}", f"{lengths.min()} to {lengths.max()}")


def _mask(part: Part, spec: Spec, refuse: Any) -> np.ndarray | None:
    """The time steps that count: in the mask, and within the length of the sequence."""
    mask, wanted = part.mask, (len(part.x), spec.time_steps)
    if mask is not None and (not spec.per_step or mask.shape != wanted or mask.dtype != np.bool_):
        rule = f"be bool of shape {wanted}, of a task that answers at each time step"
        refuse("mask", rule, f"{mask.dtype} of {mask.shape}")
    if spec.per_step and part.lengths is not None:
        is_inside = np.arange(spec.time_steps) < part.lengths[:, None]
        mask = is_inside if mask is None else mask & is_inside
    if mask is not None and not mask.any(axis=1).all():
        row = int(mask.any(axis=1).argmin())
        refuse("mask", "count a time step or more of each sequence", f"none of example {row}")
    return mask


def _targets(y: np.ndarray, each: tuple[int, ...], spec: Spec, refuse: Any) -> np.ndarray:
    if spec.output == "class":
        if y.dtype != np.int64 or y.shape != each:
            refuse("y", f"be int64 of shape {each}", f"{y.dtype} of {y.shape}")
        return y
    y = y[..., None] if spec.num_outputs == 1 and y.shape == each else y
    if y.dtype != np.float32 or y.shape != (*each, spec.num_outputs):
        wanted = (*each, spec.num_outputs)
        refuse("y", f"be float32 of shape {wanted}", f"{y.dtype} of {y.shape}")
    return y


def _check_values(array: np.ndarray, what: str, refuse: Any) -> None:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        row = int(np.argwhere(~np.isfinite(array))[0, 0])
        refuse(what, "hold finite numbers", f"NaN or infinity in row {row}")


def best_constant(part: Part, spec: Spec) -> dict[str, float]:
    """Metrics on a part of the best answer that ignores the input.

    If each time step has a target, the answer may differ between time steps.
    """
    y, mask = part.y, part.mask
    if not spec.per_step:
        y, mask = y[:, None], None
    counted = np.ones(y.shape[:2], dtype=bool) if mask is None else mask
    at_steps = [y[counted[:, t], t] for t in range(y.shape[1]) if counted[:, t].any()]
    weights = np.array([len(of_step) for of_step in at_steps], dtype=np.float64)
    found = [_of_step(of_step, spec) for of_step in at_steps]
    return {
        name: float(np.average([each[name] for each in found], weights=weights))
        for name in found[0]
    }


def _of_step(y: np.ndarray, spec: Spec) -> dict[str, float]:
    if spec.output == "class":
        shares = np.bincount(y, minlength=spec.num_outputs) / len(y)
        return {"accuracy": float(shares.max()), "loss": _entropy(shares)}
    if spec.output == "bits":
        ones = y.mean(axis=0)
        losses = [_entropy(np.array([p, 1 - p])) for p in ones.ravel()]
        return {
            "accuracy": float(np.maximum(ones, 1 - ones).mean()),
            "loss": float(np.mean(losses)),
        }
    wide = y.astype(np.float64)
    mse = float(((wide - wide.mean(axis=0)) ** 2).mean())
    mae = float(np.abs(wide - np.median(wide, axis=0)).mean())
    return {"mse": mse, "mae": mae, "r2": 0.0, "loss": mse}


def _entropy(shares: np.ndarray) -> float:
    some = shares[shares > 0]
    return float(-(some * np.log(some)).sum())
