"""Gated recurrent unit, by torch's own kernels.

Source: Cho et al. 2014, arXiv:1406.1078.
Differs: resets after the recurrent product, as cuDNN does, not before it.
"""

from torch import nn

from mnist_seq.config.schema import Model
from mnist_seq.models.cells import torch_options


def build(input_size: int, model: Model) -> nn.Module:
    """`nn.GRU`."""
    return nn.GRU(input_size, **torch_options(model))
