"""Long short-term memory: torch's own kernels as it stands, our recurrence with its options.

Source: Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000; no peepholes.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from mnist_seq.config.schema import LSTM
from mnist_seq.models.cells import torch_options
from mnist_seq.models.kernels.lstm_scan import Kind, LSTMScan
from mnist_seq.models.kernels.scan import Scanned, run_scan
from mnist_seq.models.lstm_cell import LSTMCell, is_torchs, set_weights_
from mnist_seq.models.recurrence import Recurrence, Shape, State

# Values of h in a pass. A step at batch 64, oneDNN and scan: 10.0 and 11.5 ms at hidden 128 and 28
# time steps (0.2 million), 53 and 43 at 112 (0.9), 429 and 318 at 784 (6.4); 16 and 20 ms at hidden
# 64 and 112 time steps (0.5), 40 and 33 at 196 (0.8). There it keeps 2.3 times the memory, too.
LONG = 600_000


class StackLSTM(Scanned, nn.LSTM):
    """`nn.LSTM`, which in a stack and on a long sequence goes through `LSTMScan`."""

    num_states = 2

    def trains_by_scan(self, x: Tensor) -> bool:
        """See `Scanned`; only where oneDNN, quicker otherwise, has outgrown the caches."""
        return x.shape[0] * x.shape[1] * self.hidden_size > LONG

    def scan(self, x: Tensor, state: State, weights: Sequence[Tensor]) -> tuple[Tensor, State]:
        """See `Scanned`."""
        outputs, *new = run_scan(LSTMScan, Kind(), x, *weights, None, *(state or (None, None)))
        return outputs, tuple(new)


def build(shape: Shape, model: LSTM) -> nn.Module:
    """`nn.LSTM`, or the recurrence of `LSTMCell` where its step is another."""
    if not is_torchs(model):
        return Recurrence(lambda size, hidden: LSTMCell(size, hidden, model), shape, model)
    lstm = StackLSTM(shape.input_size, **torch_options(model))
    for weights in lstm.all_weights:
        _, weight_hh, b_ih, b_hh = weights
        assert isinstance(weight_hh, Tensor)
        set_weights_(model, weight_hh, (b_ih, b_hh), ("i", "f", "g", "o"), shape.time_steps)
    return lstm
