"""A sequence classifier: recurrent layers, a read-out over time, a linear head."""

from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mnist_seq.config.schema import Model
from mnist_seq.models.cells import build_cell
from mnist_seq.models.kernels.scan import Scanned
from mnist_seq.models.recurrence import Recurrence, Shape, State, dropout_mask

Readout = Literal["last", "mean", "flat"]


class Classifier(nn.Module):
    """Recurrent layers `rnn` and a linear layer `head`.

    Its state dict has torch's own names under `rnn.` where the cell is torch's own, so that
    `nn.LSTM` loads them.

    Args:
        tbptt: time steps that a gradient goes back in training, counted from the end; the state
            goes on through the whole sequence. The backward direction has no such end.
    """

    def __init__(
        self,
        rnn: Recurrence | Scanned,
        head: nn.Linear,
        *,
        dropout: float,
        readout: Readout,
        tbptt: int | Literal["none"],
    ) -> None:
        super().__init__()
        self.tbptt = tbptt
        self.rnn = rnn
        self.dropout = dropout
        self.head = head
        self.readout = readout

    def noises(
        self, time_steps: int, batch_size: int, generator: torch.Generator | None = None
    ) -> State:
        """All random factors of one training pass; their shapes go by the model's rates alone.

        Args:
            generator: of the weights' device; None is torch's own.
        """
        drawn = self.rnn.noises(time_steps, batch_size, generator)
        if not self.dropout:
            return drawn
        shape, weight = (batch_size, self.head.in_features), self.head.weight
        return (*drawn, dropout_mask(shape, self.dropout, like=weight, generator=generator))

    def forward(
        self, x: Float[Tensor, "T B D"], noises: State | None = None
    ) -> Float[Tensor, "B C"]:
        """Logits.

        Args:
            noises: what `noises` gave, or () for none; drawn here in training where it is None.
        """
        if noises is None:
            noises = self.noises(*x.shape[:2]) if self.training else ()
        features = self._read(*self._run(x, noises[:-1] if self.dropout else noises))
        if self.dropout and noises:
            features = features * noises[-1]
        logits: Tensor = self.head(features)
        return logits

    def _run(self, x: Tensor, noises: State) -> tuple[Tensor, Tensor | State]:
        """Outputs, those that no gradient reaches left out where they are not read, and state."""
        if not self.training or self.tbptt == "none" or self.tbptt >= len(x):
            outputs, state = self.rnn(x, None, noises)
            return outputs, state
        count, rest = divmod(len(x), self.tbptt)
        sizes = [rest] * (rest > 0) + [self.tbptt] * count
        # noises [1, B, H] are those of the whole sequence
        chunks = (
            each.split_with_sizes(sizes) if len(each) > 1 else [each] * len(sizes)
            for each in noises
        )
        read, state = [], None
        for k, (part, *noise) in enumerate(zip(x.split_with_sizes(sizes), *chunks, strict=True)):
            is_read = self.readout != "last" or k == len(sizes) - 1
            with torch.set_grad_enabled(torch.is_grad_enabled() and is_read):
                outputs, state = self.rnn(part, _detached(state), tuple(noise))
            if is_read:
                read.append(outputs)
        return torch.cat(read), state

    def _read(self, outputs: Tensor, state: Tensor | State) -> Tensor:
        if self.readout == "mean":
            return outputs.mean(dim=0)
        if self.readout == "flat":
            return outputs.transpose(0, 1).flatten(1)
        h = state[0] if isinstance(state, tuple) else state
        num_directions = self.head.in_features // h.shape[-1]
        # each direction's state after it has read the whole sequence; unlike outputs[-1], where
        # the backward direction has read one time step
        return h[-1] if num_directions == 1 else torch.cat((h[-2], h[-1]), dim=-1)


def _detached(state: Any) -> Any:
    """A state of torch's, a tensor or some, or None, through which no gradient goes back."""
    if isinstance(state, tuple):
        return tuple(each.detach() for each in state)
    return None if state is None else state.detach()


def build_classifier(
    model: Model,
    *,
    shape: Shape,
    num_classes: int,
    rnn_seed: int,
    head_seed: int,
    tbptt: int | Literal["none"] = "none",
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
        width = model.hidden * (2 if model.bidirectional else 1)
        if model.readout == "flat":
            width *= shape.time_steps
        head = nn.Linear(width, num_classes)
    return Classifier(rnn, head, dropout=model.dropout, readout=model.readout, tbptt=tbptt)
