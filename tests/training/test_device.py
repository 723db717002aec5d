"""What a process is set up for before it trains."""

import torch

from mnist_seq.notebook import compose
from mnist_seq.training.device import open_device


def test_numbers_that_vanish_are_zero() -> None:
    """A CPU is slow at denormal numbers, and gradients over 784 time steps end there."""
    device = open_device(compose("device=cpu").device)
    tiny = torch.full((64,), torch.finfo(torch.float32).tiny, device=device)
    assert (tiny / 2).count_nonzero() == 0
