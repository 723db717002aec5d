"""Independent random streams of a run, derived by name from its one seed."""

import hashlib
from typing import Literal

import torch


def derive(seed: int, stream: str) -> int:
    """Seed of a named stream ("init/rnn", "order/3", "split", ...), 63 bits.

    Equal names give equal streams whatever else the run draws: that is what makes the runs of one
    seed comparable in pairs.
    """
    digest = hashlib.sha256(f"{seed}/{stream}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def epoch_order(
    seed: int, epoch: int, num_train: int, *, order: Literal["shuffled", "fixed"]
) -> torch.Tensor:
    """The order of the training examples in one epoch: int64 positions, shape [num_train]."""
    if order == "fixed":
        return torch.arange(num_train)
    generator = torch.Generator().manual_seed(derive(seed, f"order/{epoch}"))
    return torch.randperm(num_train, generator=generator)
