"""Changes training batches at random.

A change depends on the batch and a generator only, so a resumed run has the same batches as a run
that was never stopped.
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
    """Shift a batch, then add noise, then blank time steps. `x` itself is not changed.

    Args:
        shift: each sequence is shifted by -shift to shift time steps, all equally likely; the gap
            is blank.
        noise: standard deviation of the noise that is added to every value.
        drop_steps: probability with which each time step is blanked.
        blank: the value of background: the input for a black pixel, or for 0 in a signal.
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
