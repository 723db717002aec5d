"""Splits the training set into train and valid, and makes some labels wrong."""

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Split:
    """Positions in the training set, ascending in each part.

    Args:
        hash: sha256 over both parts, each as its length and its positions in little-endian int64.
    """

    train: Int64[Tensor, " n"]
    valid: Int64[Tensor, " v"]
    hash: str


def split(
    num_train: int, *, valid: int, limit: int | None, generator_seed: int, is_drawn: bool = True
) -> Split:
    """Draw `valid` images for validation, then `limit` of the others (None: all) for training.

    One permutation of all images determines both, so the images of a smaller `limit` are a subset
    of those of a larger one. The parts are sorted; the order of batches is drawn elsewhere.

    Args:
        is_drawn: False takes the last images for validation.

    Raises:
        ValueError: there are not enough images.
    """
    if not 0 <= valid < num_train:
        rule = "leave training images" if valid > 0 else "be 0 or more"
        raise ValueError(
            f"data.valid must {rule}: data.valid={valid} of {num_train}; "
            f"choose data.valid below {num_train}, 0 for none"
        )
    num_left = num_train - valid
    if limit is not None and not 0 < limit <= num_left:
        raise ValueError(
            f"data.limit must be 1 or more and at most what data.valid leaves: data.limit={limit}, "
            f"left {num_left} of {num_train}; choose data.limit from 1 to {num_left}"
        )
    order = torch.randperm(num_train, generator=torch.Generator().manual_seed(generator_seed))
    if not is_drawn:
        order = order[order < num_left]
        order = torch.cat([torch.arange(num_left, num_train), order])
    stop = num_train if limit is None else valid + limit
    parts = order[valid:stop].sort().values, order[:valid].sort().values
    return Split(*parts, hash=_hash(*parts))


def with_wrong_labels(
    labels: Int64[Tensor, " N"],
    rows: Int64[Tensor, " n"],
    *,
    share: float,
    num_classes: int,
    generator_seed: int,
) -> Int64[Tensor, " N"]:
    """The labels, some of those at `rows` replaced by another class, all equally likely.

    Each label is replaced with probability `share`. Labels that are wrong at a smaller share are
    wrong in the same way at a larger one.
    """
    generator = torch.Generator().manual_seed(generator_seed)
    is_wrong = torch.rand(len(labels), generator=generator) < share
    by = torch.randint(1, num_classes, (len(labels),), generator=generator)
    wrong = torch.where(is_wrong, (labels + by) % num_classes, labels)
    return labels.index_copy(0, rows, wrong[rows])


def _hash(*parts: Int64[Tensor, " _"]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        # with the length, because the same positions divided elsewhere are another split
        digest.update(np.array([len(part), *part.tolist()], dtype="<i8").tobytes())
    return digest.hexdigest()
