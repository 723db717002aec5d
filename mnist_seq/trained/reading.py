"""From pictures, signals or tokens of anybody to what a run's network reads."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from mnist_seq.config import Config
from mnist_seq.config.schema import Data
from mnist_seq.tasks import Spec, Task, task_of
from mnist_seq.tasks.batches.task_data import words
from mnist_seq.tasks.examples import Scale
from mnist_seq.tasks.images import ImageTask

Ground = Literal["auto", "black", "white"]
_WHITE = 127  # median byte of a border from which on the ground is white


class Reading:
    """How a run reads examples: its data's shape, scale and order in time.

    Args:
        record: of the run, run.json; it has the scale of recordings that training scaled by its
            own set.

    Attributes:
        shape: of one example as it is given: [28, 28] for MNIST, [T, D], or [T] tokens.
        is_picture: whether an example is a picture of bytes.
        scale: what `examples` makes of recordings; None where they are read as they are.
        is_scaled: whether the net reads scaled recordings.
    """

    def __init__(self, config: Config, record: Mapping[str, Any] | None = None) -> None:
        self.task: Task = task_of(config.data)
        self.spec = self.task.spec
        self.is_picture = isinstance(self.task, ImageTask) and len(self.task.shape) == 2
        self.shape = _shape_of(self.task)
        is_vector = self.spec.input == "vector"
        self.is_scaled = is_vector and _is_scaled_in_training(self.task.settings)
        self.scale = _scale_of(record or {}, self.spec) if self.is_scaled else None

    def needs_scale(self) -> str:
        """Why recordings that are not scaled cannot be read, or ""."""
        if not self.is_scaled or (self.scale is not None and not self._has_hidden_padding()):
            return ""
        why = "which this run's folder, of an older version, does not hold"
        if self.scale is not None:
            why = "and not the padding behind them, whose length it cannot know "
            why += "(data.read_at=padded_end)"
        return (
            f"data={self.task.name} scales each channel by its training set "
            f"(data.normalize=standard), {why}"
        )

    def _has_hidden_padding(self) -> bool:
        return self.task.settings.options().get("read_at") == "padded_end"

    def examples(
        self, given: Any, *, ground: Ground = "auto", is_scaled: bool = False
    ) -> np.ndarray:
        """Checked examples [N, ...] as the task's own are.

        Args:
            given: one example, or N of them: an array, a tensor or nested lists.
            ground: of pictures. "black": white on black, as MNIST's. "white": they are inverted.
                "auto": black, and pictures with a white border are refused.
            is_scaled: whether recordings are scaled as those of training are.

        Raises:
            ValueError: they have another shape or other values than the run reads.
        """
        array = given.detach().cpu().numpy() if isinstance(given, Tensor) else np.asarray(given)
        array = self._shaped(array)
        if array.dtype.kind not in "buif":
            raise ValueError(f"examples must be numbers: found {array.dtype}")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError("examples must hold finite numbers: found NaN or infinity")
        if self.is_picture:
            return self._on_black(_as_bytes(array), ground)
        if self.spec.input == "token":
            return self._tokens(array)
        if is_scaled or not self.is_scaled:
            return array.astype(np.float32)
        if why := self.needs_scale():
            raise ValueError(f"{why}; scale the examples so, and say is_scaled=True")
        assert self.scale is not None
        return self.scale.of(array)

    def inputs(self, examples: np.ndarray) -> Tensor:
        """What the network reads, [T, B, D], of some `examples`."""
        x = self.task.read(torch.from_numpy(examples))
        if self.spec.input == "token":
            return words(x, self.spec)
        scale, offset = self.task.affine()
        first = x.reshape(len(x), -1, self.spec.input_size).transpose(0, 1).contiguous()
        read = torch.add(torch.tensor(offset), first, alpha=scale)
        if not self.task.num_padded:
            return read
        noise = self.task.padding("test", range(len(x)))
        return torch.cat([read, torch.from_numpy(noise).transpose(0, 1)])

    def described(self) -> str:
        """How an example is read, in words."""
        spec = self.spec
        kind = " x ".join(map(str, self.shape))
        how = self.task.settings.options().get("sequence", "")
        of_step = "one token" if spec.input == "token" else f"{spec.input_size}"
        return f"{kind}, read as {how or 'a sequence'} ({spec.time_steps} time steps of {of_step})"

    def _shaped(self, array: np.ndarray) -> np.ndarray:
        """With an axis N in front, and without one for a single channel."""
        shape = self.shape
        if array.ndim == len(shape) + 2 and array.shape[1] == 1 and self.is_picture:
            array = array[:, 0]
        if array.shape == shape:
            array = array[None]
        if array.ndim != len(shape) + 1 or array.shape[1:] != shape or not len(array):
            found = list(array.shape)
            is_time_first = array.ndim == 3 and (array.shape[0], array.shape[2]) == shape
            hint = "; move the axis N to the front" if is_time_first else ""
            raise ValueError(
                f"this run reads {self.task.noun} of {list(shape)}, one or [N, "
                f"{', '.join(map(str, shape))}]: found {found}{hint}"
            )
        return array

    def _on_black(self, pictures: np.ndarray, ground: Ground) -> np.ndarray:
        if ground == "white":
            inverted: np.ndarray = 255 - pictures
            return inverted
        if ground == "auto" and self.shape == (28, 28):
            num = int(has_white_ground(pictures).sum())
            if 2 * num > len(pictures):
                raise ValueError(
                    f"this run reads white on black, and {num} of {len(pictures)} "
                    "pictures have a white border; choose ground=white to invert them, or "
                    "ground=black to take them as they are"
                )
        return pictures

    def _tokens(self, array: np.ndarray) -> np.ndarray:
        last = self.spec.input_size - 1
        if array.dtype.kind not in "ui" or array.min() < 0 or array.max() > last:
            raise ValueError(
                f"this run reads tokens, whole numbers from 0 to {last}: found {array.dtype} from "
                f"{array.min()} to {array.max()}"
            )
        return array.astype(np.int64)


def has_white_ground(pictures: np.ndarray) -> np.ndarray:
    """Whether the border of each picture [N, H, W] of bytes is mostly white."""
    border = np.ones(pictures.shape[1:3], dtype=bool)
    border[1:-1, 1:-1] = False
    is_white: np.ndarray = np.median(pictures[:, border], axis=1) > _WHITE
    return is_white


def _shape_of(task: Task) -> tuple[int, ...]:
    if isinstance(task, ImageTask):
        return (*task.shape, task.channels) if task.channels > 1 else task.shape
    if task.spec.input == "token":
        return (task.spec.time_steps,)
    return (task.spec.time_steps, task.spec.input_size)


def _as_bytes(array: np.ndarray) -> np.ndarray:
    """Pictures with values from 0 to 255: bytes as they are, others as float32."""
    low, high = array.min(), array.max()
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind == "f":
        if low < 0 or high > 1:
            hint = "; give bytes: pictures.astype('uint8')" if low >= 0 and high <= 255 else ""
            raise ValueError(
                f"pictures of floats are 0 (black) to 1 (white), before any normalisation: found "
                f"{low:g} to {high:g}{hint}"
            )
        return array.astype(np.float32) * np.float32(255)
    if low < 0 or high > 255 or high == 1:
        hint = "; give floats, or multiply by 255" if high == 1 else ""
        raise ValueError(
            f"pictures of whole numbers are 0 (black) to 255 (white): found {low} to {high}{hint}"
        )
    return array.astype(np.uint8)


def _is_scaled_in_training(settings: Data) -> bool:
    """Whether `Task.load` scales by numbers of the training set."""
    options = settings.options()
    return options.get("normalize") == "standard" and "sequence" not in options


def _scale_of(record: Mapping[str, Any], spec: Spec) -> Scale | None:
    """The scale that a run has recorded, or None where it is older than that.

    Raises:
        ValueError: it has other channels than the run reads.
    """
    found = record.get("scale")
    if found is None:
        return None
    scale = Scale(*(np.array(found[key], dtype=np.float64) for key in ("mean", "sd")))
    if scale.mean.shape != (spec.input_size,) or scale.sd.shape != (spec.input_size,):
        raise ValueError(
            f"scale in run.json must have {spec.input_size} channels: found {len(scale.mean)} "
            f"and {len(scale.sd)}"
        )
    return scale
