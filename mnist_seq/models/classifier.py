"""The whole network: recurrent layers with what is before them, a read-out over time, a head."""

from typing import Any, Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from mnist_seq.config.schema import Model
from mnist_seq.models.blocks import build_layers
from mnist_seq.models.cells import Layers, Shape, State
from mnist_seq.models.counting import Counts, multiply_adds
from mnist_seq.models.head import NORMS, BatchNorm, Head, build_head
from mnist_seq.models.parameter_groups import ParameterGroup, collect
from mnist_seq.models.recurrence import dropout_mask

Readout = Literal["last", "last_step", "mean", "flat"]
ENDS = ("last", "last_step")


class Classifier(nn.Module):
    """Recurrent layers `rnn` and a linear layer `head`, or hidden layers and a linear one.

    Where the cell is a module of torch, such as `nn.LSTM`, the names in its state dict below `rnn.`
    are torch's, and torch's module loads them.

    Args:
        dropout: rate of the dropout before the head; 0 where blocks drop out inside.
        readout: what the head reads: "last", the final h of each direction; "last_step", the
            outputs at the last time step, where a backward direction has read one; "mean", the mean
            of the outputs over time; "flat", all outputs side by side.
        tbptt: truncated back-propagation through time. In training a gradient goes back over this
            many time steps, counted from the end of the sequence; the state is carried on over the
            whole sequence. Not for two directions: the backward one would start in the middle.
        per_step: whether the head answers at every time step; then `readout` is not used.
        embed: from tokens to what the recurrent layers read; None where those read x.
        projection: of each time step, before the recurrent layers; None for none.
        norm: of what the head reads, before the dropout; None for none.
    """

    def __init__(
        self,
        rnn: Layers,
        head: nn.Linear | Head,
        *,
        dropout: float,
        readout: Readout,
        tbptt: int | Literal["none"],
        per_step: bool = False,
        embed: nn.Embedding | None = None,
        projection: nn.Linear | None = None,
        norm: nn.LayerNorm | BatchNorm | None = None,
    ) -> None:
        super().__init__()
        self.embed = embed
        self.projection = projection
        self.tbptt = tbptt
        self.rnn = rnn
        self.dropout = dropout
        self.norm = norm
        self.head = head
        self.readout = readout
        self.per_step = per_step

    def parameter_groups(self) -> list[ParameterGroup]:
        """All weights, each in one group, as the cell asks; one group `rest` where it does not."""
        return collect(self)

    def noises(
        self, time_steps: int, batch_size: int, generator: torch.Generator | None = None
    ) -> State:
        """Draw all random factors of one training pass.

        Their number and shapes depend on the model's settings, not on the batch's values.

        Args:
            generator: on the device of the weights; None is torch's global generator.

        Returns:
            The tensors of `Layers.noises`, then the mask of the dropout before the head, if any.
        """
        drawn = self.rnn.noises(time_steps, batch_size, generator)
        if not self.dropout:
            return drawn
        weight = self.head.weight
        shape = (*(time_steps,) * self.per_step, batch_size, self.head.in_features)
        return (*drawn, dropout_mask(shape, self.dropout, like=weight, generator=generator))

    def counts(self, shape: Shape) -> Counts:
        """Numbers carried from one time step to the next, and products at each time step.

        A head that answers once a sequence is not part of a time step.

        Args:
            shape: of the task's sequences.
        """
        if self.embed is not None:
            shape = shape._replace(input_size=self.embed.embedding_dim)
        before = 0
        if self.projection is not None:
            x = self.projection.weight.new_zeros(1, 1, shape.input_size)
            before = multiply_adds(self.projection, x)
            shape = shape._replace(input_size=self.projection.out_features)
        found = self.rnn.counts(shape).plus(Counts(0, before))
        if not self.per_step:
            return found
        features = self.head.weight.new_zeros(1, 1, self.head.in_features)
        return found.plus(Counts(0, multiply_adds(self.head, features)))

    def forward(
        self,
        x: Float[Tensor, "T B D"] | Int64[Tensor, "T B 1"],
        noises: State | None = None,
        lengths: Int64[Tensor, " B"] | None = None,
    ) -> Float[Tensor, "*T B K"]:
        """Logits of classes or bits, or values: [B, K], or [T, B, K] where each step is answered.

        Args:
            x: numbers, or one-hot tokens; the numbers of tokens where they are embedded.
            lengths: of the sequences, where padding follows them: the answer is read at their ends.
            noises: what `noises` returned; () for none. None: drawn here in training, else none.
        """
        if noises is None:
            noises = self.noises(*x.shape[:2]) if self.training else ()
        outputs, state = self._run(self.embedded(x), noises[:-1] if self.dropout else noises)
        features = outputs if self.per_step else self._read(outputs, state, lengths)
        return self.answer(features, noises[-1] if self.dropout and noises else None)

    def answer(self, features: Tensor, mask: Tensor | None = None) -> Tensor:
        """What the head says of the features that it reads."""
        if self.norm is not None:
            features = self.norm(features)
        if mask is not None:
            features = features * mask
        answer: Tensor = self.head(features)
        return answer

    def embedded(
        self, x: Float[Tensor, "T B D"] | Int64[Tensor, "T B 1"]
    ) -> Float[Tensor, "T B E"]:
        """What the recurrent layers read."""
        if self.embed is not None:
            x = self.embed(x.squeeze(-1))
        return x if self.projection is None else self.projection(x)

    def _run(self, x: Tensor, noises: State) -> tuple[Tensor, Any]:
        """Outputs and final state; with `tbptt`, where the end is read, outputs of the last part.

        With `tbptt` the sequence is run in parts, and the state between parts is detached.
        """
        if not self.training or self.tbptt == "none" or self.tbptt >= len(x):
            outputs, state = self.rnn(x, None, noises)
            return outputs, state
        count, rest = divmod(len(x), self.tbptt)
        sizes = [rest] * (rest > 0) + [self.tbptt] * count
        # noises [1, B, H] hold for the whole sequence, so every part gets them
        chunks = (
            each.split_with_sizes(sizes) if len(each) > 1 else [each] * len(sizes)
            for each in noises
        )
        read, state = [], None
        for k, (part, *noise) in enumerate(zip(x.split_with_sizes(sizes), *chunks, strict=True)):
            is_read = self.readout not in ENDS or k == len(sizes) - 1
            with torch.set_grad_enabled(torch.is_grad_enabled() and is_read):
                outputs, state = self.rnn(part, _detached(state), tuple(noise))
            if is_read:
                read.append(outputs)
        return torch.cat(read), state

    def _read(self, outputs: Tensor, state: Any, lengths: Tensor | None) -> Tensor:
        """The features [B, width] that the head reads."""
        if self.readout == "mean":
            return outputs.mean(dim=0)
        if self.readout == "flat":
            return outputs.transpose(0, 1).flatten(1)
        if lengths is not None:
            index = (lengths - 1).view(1, -1, 1).expand(1, *outputs.shape[1:])
            return outputs.gather(0, index)[0]
        return outputs[-1] if self.readout == "last_step" else self.rnn.last(outputs, state)


def _detached(state: Any) -> Any:
    """The state (a tensor, a tuple of states, or None) without its gradient history."""
    if isinstance(state, tuple):
        return tuple(_detached(each) for each in state)
    return None if state is None else state.detach()


def build_classifier(
    model: Model,
    *,
    shape: Shape,
    num_outputs: int,
    per_step: bool = False,
    rnn_seed: int,
    head_seed: int,
    embedding: int = 0,
    embedding_seed: int = 0,
    tbptt: int | Literal["none"] = "none",
) -> Classifier:
    """A freshly initialised classifier on the CPU.

    Args:
        shape: shape of the task's sequences.
        rnn_seed, head_seed: seeds of two random streams. At one seed of a run, the heads of all
            cells of one width then start equal. torch's global random state stays as it was.
        embedding: numbers that a token becomes, drawn from N(0, 1); 0 for none.
        embedding_seed: of the stream of the embedding, and of the projection behind it.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(embedding_seed)
        embed = projection = None
        if embedding:
            embed = nn.Embedding(shape.input_size, embedding)
            shape = shape._replace(input_size=embedding)
        if model.projection:
            projection = nn.Linear(shape.input_size, model.projection)
            shape = shape._replace(input_size=model.projection)
        torch.manual_seed(rnn_seed)
        rnn = build_layers(shape, model)
        torch.manual_seed(head_seed)
        width = model.hidden * rnn.num_directions
        if model.readout == "flat":
            width *= shape.time_steps
        head = build_head(width, num_outputs, model)
        norm = None if model.readout_norm == "none" else NORMS[model.readout_norm](width)
    is_before_head = model.block == "none" and model.dropout_at == "all"  # blocks drop inside
    return Classifier(
        rnn,
        head,
        dropout=model.dropout if is_before_head else 0.0,
        readout=model.readout,
        tbptt=tbptt,
        per_step=per_step,
        embed=embed,
        projection=projection,
        norm=norm,
    )
