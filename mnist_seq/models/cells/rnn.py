"""Simple recurrent network, by torch's own kernels.

Source: Elman 1990.
"""

from torch import nn

from mnist_seq.config.schema import RNN
from mnist_seq.models.cells import torch_options


def build(input_size: int, model: RNN) -> nn.Module:
    """`nn.RNN` with tanh or ReLU."""
    return nn.RNN(
        input_size, nonlinearity=model.nonlinearity, **torch_options(model)
    )
