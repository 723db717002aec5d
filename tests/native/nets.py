"""Nets of torch that the native ones are held to, in float64 and in float32."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mnist_seq.native import Layout, Source

CELLS = ("lstm", "gru", "rnn_tanh", "rnn_relu")


@dataclass(frozen=True)
class Case:
    """A net and a batch for it, drawn at random by its sizes alone."""

    layout: Layout
    batch: int
    time_steps: int
    has_dropout: bool = False

    def weights(self) -> list[Tensor]:
        """In torch's order, drawn as torch draws them."""
        draw, bound = torch.Generator().manual_seed(1), self.layout.hidden**-0.5
        return [(2 * torch.rand(shape, generator=draw) - 1) * bound for shape in self.layout.shapes]

    def batch_of(self) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """x [B, T, D], targets and noises."""
        draw, layout = torch.Generator().manual_seed(2), self.layout
        size = (self.batch, self.time_steps, layout.inputs)
        x = torch.randn(size, generator=draw)
        y = torch.randint(layout.outputs, (self.batch,), generator=draw)
        shapes = [(self.time_steps, self.batch, layout.hidden)] * (layout.layers - 1)
        shapes = [*shapes, (self.batch, layout.hidden)] * self.has_dropout
        return x, y, tuple(2.0 * torch.randint(2, shape, generator=draw) for shape in shapes)

    def by_torch(self, dtype: torch.dtype) -> tuple[Tensor, list[Tensor], Tensor]:
        """Loss, gradients and outputs of torch's modules."""
        x, y, noises = self.batch_of()
        weights = [weight.to(dtype).requires_grad_() for weight in self.weights()]
        outputs = forward(self.layout, weights, x.to(dtype), tuple(n.to(dtype) for n in noises))
        loss = F.cross_entropy(outputs, y)
        return loss.detach(), list(torch.autograd.grad(loss, weights)), outputs.detach()

    def source(self) -> Source:
        """The sequences of the batch."""
        return Source(self.batch_of()[0])


def forward(layout: Layout, weights: list[Tensor], x: Tensor, noises: tuple[Tensor, ...]) -> Tensor:
    """The outputs [B, C] for sequences [B, T, D]."""
    kind, _, activation = layout.cell.partition("_")
    options = {"nonlinearity": activation} if activation else {}
    h = x.transpose(0, 1)
    for layer in range(layout.layers):
        with torch.device("meta"):
            module = getattr(nn, kind.upper())(h.shape[-1], layout.hidden, **options)
        names = [name for name, _ in module.named_parameters()]
        own = dict(zip(names, weights[4 * layer :], strict=False))
        h, _ = torch.func.functional_call(module, own, (h,))
        if noises and layer + 1 < layout.layers:
            h = h * noises[layer]
    features = h[-1] if layout.readout == "last" else h.mean(0)
    if noises:
        features = features * noises[-1]
    return F.linear(features, weights[-2], weights[-1])


def distance(found: Tensor, wanted: Tensor) -> float:
    """Euclidean, relative to what is wanted."""
    gap, size = (found.double() - wanted).norm(), wanted.double().norm()
    return float(gap / size) if size else float(gap)
