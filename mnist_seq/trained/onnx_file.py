"""Writes a trained network as an ONNX file that reads examples as they are: bytes of pictures."""

import importlib.util
import io
import json
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mnist_seq.config import ConfigError
from mnist_seq.models import Classifier
from mnist_seq.tasks.batches.task_data import words
from mnist_seq.trained.predictions import without_padding
from mnist_seq.trained.reading import Reading

PACKAGES = ("onnx", "onnxruntime")
_TOLERANCE = 1e-3  # of logits, relative and absolute; one exporter's other order of sums gives 1e-5


class FromExamples(nn.Module):
    """A network that takes a batch of examples as its data set has them.

    Reading order and normalisation are inside.

    Args:
        reading: of the run; without noise behind the examples.
        is_scaled: whether recordings come scaled.
    """

    def __init__(self, model: Classifier, reading: Reading, *, is_scaled: bool = False) -> None:
        super().__init__()
        self.model, self.spec = model, reading.spec
        self._scale, self._offset = reading.task.affine()
        size = int(np.prod(reading.shape))
        where = torch.arange(size, dtype=torch.float32).view(1, *reading.shape)
        self.register_buffer("order", reading.task.read(where).flatten().long(), persistent=False)
        self.order: Tensor
        self._channels = None if is_scaled else reading.scale
        for name in ("mean", "sd") if self._channels is not None else ():
            array = torch.from_numpy(getattr(self._channels, name))
            self.register_buffer(name, array, persistent=False)
        self.mean: Tensor
        self.sd: Tensor
        self._is_padded = reading.is_scaled and self.spec.varied
        self._is_token = self.spec.input == "token"

    def forward(self, examples: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits and probabilities (of values: the values twice)."""
        flat = examples.reshape(-1, len(self.order)).index_select(1, self.order)
        if self._is_token:
            x = words(flat, self.spec)
        else:
            if self._channels is not None:
                flat = flat.reshape(-1, self.spec.time_steps, self.spec.input_size).double()
                flat = (flat - self.mean) / self.sd
            steps = flat.float().reshape(-1, self.spec.time_steps, self.spec.input_size)
            x = steps.transpose(0, 1) * self._scale + self._offset
            if self._is_padded and lengths is not None:
                x = without_padding(x, lengths)
        logits = self.model(x, (), lengths)
        logits = logits.transpose(0, 1) if self.spec.per_step else logits
        if self.spec.output == "value":
            return logits, logits
        return logits, logits.softmax(-1) if self.spec.output == "class" else logits.sigmoid()


def onnx_file(
    model: Classifier, reading: Reading, about: Mapping[str, Any], *, is_scaled: bool = False
) -> bytes:
    """The file, whose numbers ONNX Runtime has been compared with the network's.

    Args:
        about: written into the file's metadata.
        is_scaled: whether the file reads recordings that are scaled already.

    Raises:
        ConfigError: a package is missing, or this run has no such form.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"export needs {' and '.join(missing)}; install: pip install 'mnist_seq[onnx]'"
        )
    if reading.task.num_padded:
        raise ConfigError(
            "an exported net reads examples alone, and this run reads noise behind them "
            "(data.pad_noise); use run.predict"
        )
    if not is_scaled and (why := reading.needs_scale()):
        raise ConfigError(
            f"{why}; write run.export('onnx', is_scaled=True) for a file that reads scaled "
            "recordings"
        )
    outside = FromExamples(model, reading, is_scaled=is_scaled).eval()
    given = _made(reading, 2, is_scaled=is_scaled)
    names, file = ["examples", "lengths"][: len(given)], io.BytesIO()
    axes = {name: {0: "batch"} for name in (*names, "logits", "probabilities")}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch's exporter: it will be another one's default
            torch.onnx.export(
                outside,
                given,
                file,  # type: ignore[arg-type]  # torch takes a stream too
                dynamo=False,
                input_names=names,
                output_names=["logits", "probabilities"],
                dynamic_axes=axes,
            )
        content = _with_metadata(file.getvalue(), reading, about, is_scaled=is_scaled)
        _check(content, outside, _made(reading, 3, is_scaled=is_scaled))
    except (
        RuntimeError,
        ValueError,
    ) as error:  # torch's exporter and ONNX Runtime raise many kinds
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(f"ONNX cannot hold this net: {reason}; use run.predict") from error
    return content


def _made(reading: Reading, num: int, *, is_scaled: bool = False) -> tuple[Tensor, ...]:
    """Examples and lengths of the right kind."""
    spec, shape = reading.spec, (num, *reading.shape)
    drawn = np.random.default_rng(num)
    made: np.ndarray
    if reading.is_picture:
        made = drawn.integers(0, 256, shape, dtype=np.uint8)
    elif spec.input == "token":
        made = drawn.integers(0, spec.input_size, shape)
    else:
        made = drawn.normal(size=shape)
        if reading.scale is not None and not is_scaled:
            made = made * reading.scale.sd + reading.scale.mean
        made = made.astype(np.float32)
    x = torch.from_numpy(made)
    return (x, torch.arange(num) % spec.time_steps + 1) if spec.varied else (x,)


def _with_metadata(
    content: bytes, reading: Reading, about: Mapping[str, Any], *, is_scaled: bool
) -> bytes:
    import onnx

    model = onnx.load_from_string(content)
    shape = ", ".join(map(str, reading.shape))
    kind = "bytes, 0 black to 255 white" if reading.is_picture else "as the data set has them"
    inside = "order in time and normalisation are inside"
    if reading.is_scaled and is_scaled:
        kind = "each channel scaled beforehand by its mean and sd over the training set"
        inside = "that scale is not inside"
    texts = {
        "examples": f"[N, {shape}]: {kind}; {inside}",
        "classes": json.dumps(list(reading.task.class_names)),
        **{key: each if isinstance(each, str) else json.dumps(each) for key, each in about.items()},
    }
    for key, text in texts.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, text
    found: bytes = model.SerializeToString()
    return found


def _check(content: bytes, outside: nn.Module, given: tuple[Tensor, ...]) -> None:
    """Compare ONNX Runtime's numbers with the network's, at another batch size than exported."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    found = session.run(None, {n: x.numpy() for n, x in zip(names, given, strict=True)})
    with torch.no_grad():
        wanted = outside(*given)
    for one, other in zip(found, wanted, strict=True):
        if not np.allclose(one, other.numpy(), rtol=_TOLERANCE, atol=_TOLERANCE):
            raise ValueError("ONNX Runtime reads other numbers than torch")
