"""Cells whose input goes through a short causal convolution before it reaches the state."""

import torch
from torch import Tensor, nn

from mnist_seq.models.cells import Cell, State
from mnist_seq.models.counting import Counts


class ShortConv(Cell):
    """A cell with a filter over a few time steps for each of E channels.

    A subclass makes `weight_conv` [width, 1, E], whose last row is for the present. The last tensor
    of its state is the window: the last `width` inputs [B, width, E], the present one included.
    """

    weight_conv: nn.Parameter

    def convolve(self, u: Tensor, window: Tensor) -> tuple[Tensor, Tensor]:
        """What `of_conv` takes at all time steps of u [T, B, E], and the window after the last."""
        seen = torch.cat((window.transpose(0, 1), u))
        return self._filtered(seen[1:], len(u)), seen[len(u) :].transpose(0, 1)

    def shifted(self, window: Tensor, u: Tensor) -> Tensor:
        """The window after one time step with the input u [B, E]."""
        return torch.cat((window[:, 1:], u.unsqueeze(1)), dim=1)

    def now(self, window: Tensor) -> State:
        """`of_conv` at the time step whose input came last."""
        return self.of_conv(self._filtered(window.transpose(0, 1), 1)[0])

    def of_conv(self, u: Tensor) -> State:
        """What the cell makes of the convolution [..., E]."""
        raise NotImplementedError

    def counts(self, input_size: int) -> Counts:
        """See `Cell`; the oldest input of the window is not carried on."""
        found = super().counts(input_size)
        return found._replace(state_size=found.state_size - self.weight_conv.shape[-1])

    def _filtered(self, seen: Tensor, num_steps: int) -> Tensor:
        """Outputs [T, B, E] from the inputs [T + width - 1, B, E]."""
        first, *others = (
            weight * seen.narrow(0, k, num_steps)
            for k, weight in enumerate(self.weight_conv.unbind(0))
        )
        for other in others:
            first = first + other
        return first
