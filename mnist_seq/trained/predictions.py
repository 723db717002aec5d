"""Predictions of a trained network on examples of one's own, and errors on the test set."""

import base64
import html
import io
from dataclasses import dataclass

import numpy as np
import torch

from mnist_seq.models import Classifier
from mnist_seq.tasks import Spec
from mnist_seq.trained import sheet
from mnist_seq.trained.reading import Reading
from mnist_seq.training.loop.objective import answers

NUM_DRAWN = 24  # pictures that a notebook shows


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a network says of N examples.

    Attributes:
        answers: classes [N], bits [N, K] or values [N, K]; [N, T, ...] where each time step is
            answered.
        probabilities: of each class or bit, with a last axis K; None for values.
        names: of the classes; empty where they are numbers.
        pictures: what was read, bytes [N, H, W], white on black; None where there are none.
    """

    answers: np.ndarray
    probabilities: np.ndarray | None
    names: tuple[str, ...]
    pictures: np.ndarray | None

    def __len__(self) -> int:
        return len(self.answers)

    @property
    def is_one_class_each(self) -> bool:
        """Whether an example has one class."""
        return self.answers.ndim == 1 and self.probabilities is not None

    def named(self, answer: int) -> str:
        """A class as people call it."""
        return self.names[answer] if self.names else str(answer)

    def ranked(self, row: int, num: int) -> list[tuple[str, float]]:
        """The most probable classes of an example, with their probabilities."""
        assert self.probabilities is not None
        probabilities = self.probabilities[row]
        best = np.argsort(-probabilities, kind="stable")[:num]
        return [(self.named(int(k)), float(probabilities[k])) for k in best]

    def captions(self) -> list[str]:
        """The class and its probability, for each example."""
        return [
            f"{name} {100 * probability:.0f} %"
            for ((name, probability),) in (self.ranked(i, 1) for i in range(len(self)))
        ]

    def __repr__(self) -> str:
        shown = f"{len(self)} example{'s' * (len(self) != 1)}"
        if not self.is_one_class_each:
            return f"<predictions of {shown}: answers {list(self.answers.shape)}>"
        few = ", ".join(self.captions()[:NUM_DRAWN])
        return f"<predictions of {shown}: {few}{', ...' * (len(self) > NUM_DRAWN)}>"

    def _repr_html_(self) -> str:
        if self.pictures is None or not self.is_one_class_each:
            return f"<p>{html.escape(repr(self))}</p>"
        return _shown(self.pictures, self.captions(), repr(self))


@dataclass(frozen=True, eq=False)
class Misclassified:
    """Examples of the test set of which the network said another class.

    Attributes:
        indexes: in the test set.
        labels, predictions: classes.
        pictures: bytes [N, H, W]; None where the data set has none, or is not found.
    """

    indexes: np.ndarray
    labels: np.ndarray
    predictions: np.ndarray
    names: tuple[str, ...]
    num_test: int
    pictures: np.ndarray | None

    def __len__(self) -> int:
        return len(self.indexes)

    def captions(self) -> list[str]:
        """What each is, and what was said of it."""

        def named(answer: int) -> str:
            return self.names[answer] if self.names else str(answer)

        pairs = zip(self.labels, self.predictions, strict=True)
        return [f"{named(label)}, said {named(said)}" for label, said in pairs]

    def __repr__(self) -> str:
        return f"<{len(self)} of {self.num_test:,} test examples misclassified>"

    def _repr_html_(self) -> str:
        if self.pictures is None:
            return f"<p>{html.escape(repr(self))}</p>"
        return _shown(self.pictures, self.captions(), repr(self))


def predict(
    model: Classifier,
    reading: Reading,
    examples: np.ndarray,
    *,
    lengths: np.ndarray | None = None,
    batch_size: int = 1000,
) -> Predictions:
    """What a network on the CPU says of `Reading.examples`.

    Args:
        lengths: of sequences that padding follows, [N].

    Raises:
        ValueError: lengths are missing, or are not those of sequences.
    """
    spec = reading.spec
    of_length = _checked_lengths(lengths, spec, examples)
    found, probable = [], []
    with torch.inference_mode():
        for start in range(0, len(examples), batch_size):
            rows = slice(start, start + batch_size)
            x, own = reading.inputs(examples[rows]), None
            if of_length is not None:
                own = of_length[rows]
                x = without_padding(x, own) if reading.is_scaled else x
            logits = model(x, (), own)
            said, chances = answers(spec, logits), _probabilities(spec, logits)
            if spec.per_step:
                said, chances = said.transpose(0, 1), chances.transpose(0, 1)
            found.append(said.numpy())
            probable.append(chances.numpy())
    pictures = None
    if reading.is_picture and examples.ndim == 3:
        pictures = np.rint(examples).astype(np.uint8)
    return Predictions(
        np.concatenate(found),
        None if spec.output == "value" else np.concatenate(probable),
        reading.task.class_names,
        pictures,
    )


def without_padding(x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Sequences [T, B, D] with zeros behind their ends, as training has them."""
    steps = torch.arange(len(x)).unsqueeze(1)
    return x * (steps < lengths).unsqueeze(-1)


def _probabilities(spec: Spec, logits: torch.Tensor) -> torch.Tensor:
    return logits.softmax(-1) if spec.output == "class" else logits.sigmoid()


def _checked_lengths(
    lengths: np.ndarray | None, spec: Spec, examples: np.ndarray
) -> torch.Tensor | None:
    if (lengths is None) == spec.varied:
        rule = "need their lengths" if spec.varied else "have one length"
        raise ValueError(f"sequences of this run {rule}: lengths={lengths}")
    if lengths is None:
        return None
    found = torch.as_tensor(lengths)
    is_right = found.shape == (len(examples),) and not found.is_floating_point()
    if not is_right or found.min() < 1 or found.max() > spec.time_steps:
        raise ValueError(
            f"lengths must be whole numbers from 1 to {spec.time_steps}, one for each of the "
            f"{len(examples)} sequences: found {lengths}"
        )
    return found.long()


def _shown(pictures: np.ndarray, captions: list[str], text: str) -> str:
    drawn = sheet.draw(pictures[:NUM_DRAWN], [[caption] for caption in captions[:NUM_DRAWN]])
    buffer = io.BytesIO()
    drawn.save(buffer, "PNG")
    data = base64.b64encode(buffer.getvalue()).decode()
    alt = html.escape(text)
    source = f"data:image/png;base64,{data}"
    return f'<p>{alt}</p><img alt="{alt}" width="{drawn.width // 2}" src="{source}">'
