"""One optimizer update, and the average of the weights over the updates."""

import contextlib
import math
from collections.abc import Iterator, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mnist_seq.tasks import Spec
from mnist_seq.tasks.batches.batch import Batch
from mnist_seq.training.device import autocast
from mnist_seq.training.loop.objective import accuracy, mean_loss


def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    *,
    spec: Spec,
    clip_norm: float,
    clip_value: float = math.inf,
    precision: str,
    noises: tuple[Tensor, ...] | None = None,
    rights: Tensor | None = None,
) -> Float[Tensor, ""]:
    """Update the weights once. Nothing waits for the device.

    Args:
        clip_norm: largest Euclidean norm of the gradient over all weights; inf never clips.
        clip_value: largest absolute value of each number of the gradient; inf never clips.
        noises: random factors of the model's dropout; None draws them with torch's generator.
        rights: the examples of the batch times its accuracy are added to it, [R]; None adds none.

    Returns:
        The loss of the batch before the update: see `mean_loss`.
    """
    optimizer.zero_grad(set_to_none=True)
    with autocast(batch.x.device, precision):
        outputs = model(batch.x, noises, batch.lengths)
    loss = mean_loss(spec, outputs, batch)
    loss.backward()  # type: ignore[no-untyped-call]
    if not math.isinf(clip_norm):
        nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
    if not math.isinf(clip_value):
        nn.utils.clip_grad_value_(model.parameters(), clip_value)
    optimizer.step()
    if rights is not None:
        rights += accuracy(spec, outputs.detach(), batch) * batch.num_examples
    return loss.detach()


class Average:
    """Exponential moving average of a net's weights over its steps (EMA), and of what a batch norm
    has counted.

    After n steps it is the mean of the weights after each step k, weighted by decay^(n - k). The
    first weights, which no step has made, do not count: so no warm-up is needed.

    Args:
        decay: between 0 and 1; the larger, the longer the average looks back.
        saved: its `state` to go on from; None for a run at step 0.

    Source: Kingma and Ba 2015, arXiv:1412.6980, section 3 for the weights, section 7.2 for the use.
    """

    def __init__(self, model: nn.Module, decay: float, saved: Mapping[str, Tensor] | None) -> None:
        self._weights, self._decay = model.state_dict(keep_vars=True), decay
        self.state = {name: weight.detach().clone() for name, weight in self._weights.items()}
        for name, value in self.state.items():
            if saved is not None:
                value.copy_(saved[name])

    @torch.no_grad()
    def update(self, num_steps: int) -> None:
        """Take the weights after a step, of which there have been `num_steps` with this one."""
        share = (1 - self._decay) / (1 - self._decay**num_steps)
        for name, value in self.state.items():
            own = self._weights[name].detach()
            value.lerp_(own, share) if own.is_floating_point() else value.copy_(own)

    @contextlib.contextmanager
    def used(self) -> Iterator[None]:
        """The net has the average while the block runs, and its own weights, to the bit, after."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for name, value in self.state.items():
            own = self._weights[name].detach().clone()
            self._weights[name].copy_(value)
            value.copy_(own)
