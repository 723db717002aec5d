"""The head: from what is read of the recurrent layers to the answer, and the norm before it."""

import itertools
from collections.abc import Callable

from torch import Tensor, nn

from mnist_seq.config.schema import Model

_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU}


class Head(nn.Sequential):
    """Hidden layers with an activation behind each, and a linear layer.

    Args:
        sizes: numbers that are read, units of each hidden layer, numbers of the answer.
    """

    def __init__(self, sizes: tuple[int, ...], activation: str) -> None:
        layers: list[nn.Module] = []
        for size, following in itertools.pairwise(sizes):
            layers += [nn.Linear(size, following), _ACTIVATIONS[activation]()]
        super().__init__(*layers[:-1])
        self.in_features = sizes[0]

    @property
    def weight(self) -> Tensor:
        """Of the first layer."""
        return next(self.parameters())


class BatchNorm(nn.BatchNorm1d):
    """Normalises by the batch in training, else by running statistics: `nn.BatchNorm1d`.

    One whose weights are frozen keeps its statistics and goes by them, as in Keras.

    Source: Ioffe & Szegedy 2015, arXiv:1502.03167.
    """

    def train(self, mode: bool = True) -> "BatchNorm":
        """See `nn.Module`."""
        return super().train(mode and any(weight.requires_grad for weight in self.parameters()))


NORMS: dict[str, Callable[[int], nn.LayerNorm | BatchNorm]] = {
    "layer": nn.LayerNorm,
    "batch": BatchNorm,
}


def build_head(width: int, num_outputs: int, model: Model) -> nn.Linear | Head:
    """A freshly initialised head, from torch's global generator."""
    if not model.head:
        return nn.Linear(width, num_outputs)
    return Head((width, *model.head, num_outputs), model.head_activation)
