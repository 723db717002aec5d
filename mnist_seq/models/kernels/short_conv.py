"""Causal convolution over a few time steps, one filter a channel, that goes on from a state."""

import torch
from torch import Tensor


def short_conv(x: Tensor, window: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs [T, B, E], and the last inputs.

    Args:
        x: [T, B, E].
        window: the last inputs before x, [B, width, E]; the first one is not read.
        weight: [width, 1, E]; its last row is for the present.

    Returns:
        Outputs of all time steps; `window` after the last one, the last input included.
    """
    seen = torch.cat((window.transpose(0, 1), x))
    return convolved(seen[1:], weight, len(x)), seen[len(x) :].transpose(0, 1)


def convolved(seen: Tensor, weight: Tensor, num_steps: int) -> Tensor:
    """Outputs [T, B, E] from the inputs [T + width - 1, B, E]."""
    parts = [w * seen.narrow(0, k, num_steps) for k, w in enumerate(weight.unbind(0))]
    y = parts[0]
    for part in parts[1:]:
        y = y + part
    return y
