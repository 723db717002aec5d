"""A sequence classifier: recurrent layers, a read-out over time, a linear head."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mnist_seq.config.schema import Model
from mnist_seq.models.cells import build_cell
from mnist_seq.models.recurrence import Shape


class Classifier(nn.Module):
    """Recurrent layers `rnn` and a linear layer `head`.

    Its state dict has torch's own names under `rnn.` where the cell is torch's own, so that
    `nn.LSTM` loads them.
    """

    def __init__(
        self, rnn: nn.Module, head: nn.Linear, *, dropout: float, readout: Literal["last", "mean"]
    ) -> None:
        super().__init__()
        self.rnn = rnn
        self.dropout = nn.Dropout(dropout)
        self.head = head
        self.readout = readout

    def forward(self, x: Float[Tensor, "T B D"]) -> Float[Tensor, "B C"]:
        outputs, state = self.rnn(x)
        if self.readout == "mean":
            features = outputs.mean(dim=0)
        else:
            h = state[0] if isinstance(state, tuple) else state
            num_directions = self.head.in_features // h.shape[-1]
            # each direction's state after it has read the whole sequence; unlike outputs[-1], where
            # the backward direction has read one time step
            features = h[-1] if num_directions == 1 else torch.cat((h[-2], h[-1]), dim=-1)
        logits: Tensor = self.head(self.dropout(features))
        return logits


def build_classifier(
    model: Model, *, shape: Shape, num_classes: int, rnn_seed: int, head_seed: int
) -> Classifier:
    """A freshly initialised classifier on the CPU.

    Args:
        rnn_seed, head_seed: seeds of two streams, so that the heads of all cells of one width start
            equal at one run seed. torch's global random state is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(rnn_seed)
        rnn = build_cell(shape, model)
        torch.manual_seed(head_seed)
        head = nn.Linear(model.hidden * (2 if model.bidirectional else 1), num_classes)
    return Classifier(rnn, head, dropout=model.dropout, readout=model.readout)
