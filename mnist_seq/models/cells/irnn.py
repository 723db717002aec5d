"""Simple recurrent network with ReLU whose recurrent weights start at the identity.

Input weights start at N(0, 0.001^2) and biases at 0, so h starts as a sum over time.

Source: Le et al. 2015, arXiv:1504.00941.
"""

from torch import Tensor, nn

from mnist_seq.config.schema import Model
from mnist_seq.models.cells import Layers, Shape, torch_options
from mnist_seq.models.cells.rnn import ScanRNN
from mnist_seq.models.initial import identity_blocks_


def build(shape: Shape, model: Model) -> Layers:
    """`nn.RNN` with other initial weights."""
    rnn = ScanRNN(shape.input_size, nonlinearity="relu", **torch_options(model))
    for weights in rnn.all_weights:
        weight_ih, weight_hh, *biases = weights
        assert isinstance(weight_ih, Tensor)
        assert isinstance(weight_hh, Tensor)
        nn.init.normal_(weight_ih, std=0.001)
        identity_blocks_(weight_hh)
        for bias in biases:
            assert isinstance(bias, Tensor)
            nn.init.zeros_(bias)
    return rnn
