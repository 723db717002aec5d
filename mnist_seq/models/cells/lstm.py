"""Long short-term memory: torch's own kernels as it stands, our recurrence with its options.

Source: Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000; no peepholes.
"""

from torch import Tensor, nn

from mnist_seq.config.schema import LSTM
from mnist_seq.models.cells import torch_options
from mnist_seq.models.lstm_cell import LSTMCell, is_torchs, set_weights_
from mnist_seq.models.recurrence import Recurrence, Shape


def build(shape: Shape, model: LSTM) -> nn.Module:
    """`nn.LSTM`, or the recurrence of `LSTMCell` where its step is another."""
    if not is_torchs(model):
        return Recurrence(lambda size, hidden: LSTMCell(size, hidden, model), shape, model)
    # no scan as the GRU has: the best of five took 3.0 ms, oneDNN takes 2.5 (hidden 64, batch 64)
    lstm = nn.LSTM(shape.input_size, **torch_options(model))
    for weights in lstm.all_weights:
        _, weight_hh, b_ih, b_hh = weights
        assert isinstance(weight_hh, Tensor)
        set_weights_(model, weight_hh, (b_ih, b_hh), ("i", "f", "g", "o"), shape.time_steps)
    return lstm
