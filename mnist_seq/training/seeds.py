"""Derives independent random streams of a run from its seed, by name."""

import hashlib
from typing import Literal

import torch


def derive(seed: int, stream: str) -> int:
    """The seed (63 bits) of a named random stream, such as "init/rnn", "order/3" or "split".

    A stream depends on the seed of the run and on its name, not on other draws of the run. So runs
    with the same seed can be compared in pairs.
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
