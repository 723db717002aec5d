"""Random changes to the training batches: each a function of the batch and a generator.

They need no state, so a run that is resumed at a step draws what it would have drawn there.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def augment(
    x: Float[Tensor, "T B D"],
    *,
    shift: int,
    noise: float,
    drop_steps: float,
    blank: Float[Tensor, ""],
    generator: torch.Generator,
) -> Float[Tensor, "T B D"]:
    """A batch moved, then made noisy, then with time steps left blank; `x` stays as it is.

    Args:
        shift: each sequence moves by -shift to shift time steps, all equally likely; what moves in
            is blank.
        noise: standard deviation of what is added to every value.
        drop_steps: share of the time steps left blank, drawn for each by itself.
        blank: the value of background: what a black pixel, or 0 in a signal, is to the net.
        generator: on the device of `x`.
    """
    num_steps, batch, _ = x.shape
    if shift:
        by = torch.randint(-shift, shift + 1, (batch,), generator=generator, device=x.device)
        source = torch.arange(num_steps, device=x.device).unsqueeze(1) - by  # [T, B]
        is_inside = (source >= 0) & (source < num_steps)
        index = source.clamp(0, num_steps - 1).unsqueeze(-1).expand_as(x)
        x = torch.where(is_inside.unsqueeze(-1), x.gather(0, index), blank)
    if noise:
        x = x + noise * torch.randn(x.shape, generator=generator, device=x.device)
    if drop_steps:
        drawn = torch.rand(num_steps, batch, 1, generator=generator, device=x.device)
        x = torch.where(drawn < drop_steps, blank, x)
    return x
