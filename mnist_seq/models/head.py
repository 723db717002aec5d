"""The head: from what is read of the recurrent layers to the answer."""

import itertools

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


def build_head(width: int, num_outputs: int, model: Model) -> nn.Linear | Head:
    """A freshly initialised head, from torch's global generator."""
    if not model.head:
        return nn.Linear(width, num_outputs)
    return Head((width, *model.head, num_outputs), model.head_activation)
