"""Writes and reads checkpoint.pt: all that a run needs to resume with unchanged numbers."""

import contextlib
import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mnist_seq.runs import files
from mnist_seq.runs.disk import limits
from mnist_seq.runs.folder import RunFolder
from mnist_seq.training import checkpoint_check

Saved = dict[str, Any]


def save(
    folder: RunFolder,
    *,
    model: nn.Module,
    optimizer: dict[str, Any],
    generator: torch.Generator,
    loop: dict[str, Any],
    average: dict[str, torch.Tensor] | None,
) -> None:
    """Write checkpoint.pt: weights, optimizer, random state and the loop's own state.

    The step is enough to find the position in the data, because the order of each epoch is drawn
    from the seed and the number of the epoch. A run in a stack writes the same file as a run alone,
    and each can resume from the other's file.

    Args:
        optimizer: its state dict.
        generator: draws the dropout.
        average: of the weights; None for none.
    """
    state = {
        "model": _own(model.state_dict()),
        "optimizer": optimizer,
        "random": {generator.device.type: generator.get_state()},
        "loop": loop,
        **({} if average is None else {"average": _own(average)}),
    }
    files.write_bytes(folder.checkpoint_path, _serialized(state))


def read(folder: RunFolder, model: nn.Module) -> Saved | None:
    """The content of checkpoint.pt, or None if there is no such file.

    Args:
        model: what the run has built; it says where tensors go, and how many can be.

    Raises:
        ValueError: the file is damaged.
    """
    if not os.path.lexists(folder.checkpoint_path):  # a broken link counts as damage
        return None
    with errors_named(folder):
        saved = load(folder.checkpoint_path, model)
        checkpoint_check.check_parts(saved)
    assert isinstance(saved, dict)
    return saved


def load(path: Path, model: nn.Module) -> Any:
    """Load a file of `torch.save`, without executing anything in it (`weights_only=True`).

    Args:
        model: whose weights it holds, or more; on its device.

    Raises:
        Exception: of many kinds; the file is missing, damaged or foreign.
    """
    limits.check_regular(path)
    most = checkpoint_check.most_bytes(model)
    limits.check_size(path, path.stat().st_size, most)
    with zipfile.ZipFile(path) as archive:  # torch does not notice a flipped bit
        limits.check_size(path, sum(part.file_size for part in archive.infolist()), most)
        if (damaged := archive.testzip()) is not None:
            raise ValueError(f"its part {damaged} is not as it was written")
    return torch.load(path, map_location=next(model.parameters()).device, weights_only=True)


def load_weights(path: Path, model: nn.Module) -> None:
    """Load the weights of a file into a model.

    Raises:
        ValueError: the file is missing or damaged, or has the weights of another model.
    """
    try:
        weights = load(path, model)
        checkpoint_check.check_weights(weights, model)
        model.load_state_dict(weights)
    except Exception as error:  # torch raises exceptions of many classes
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path} must hold the weights of this run: {reason}") from error


def restore_random(saved: Saved, generator: torch.Generator) -> None:
    """Restore the state of a generator; on another kind of device it starts from its seed."""
    if generator.device.type in saved["random"]:
        # set_state reads from the start of a tensor's memory, where another one may begin
        generator.set_state(saved["random"][generator.device.type].cpu().clone())


@contextlib.contextmanager
def errors_named(folder: RunFolder) -> Iterator[None]:
    """Turn any error in the block into a ValueError: the checkpoint of the folder is damaged.

    Raises:
        ValueError: instead of any other exception.
    """
    try:
        yield
    except Exception as error:
        raise ValueError(
            f"{folder.checkpoint_path} must be a checkpoint of this run: {type(error).__name__}: "
            f"{str(error).splitlines()[0] if str(error) else ''}; remove the file to train "
            "from the start"
        ) from error


def save_weights(path: Path, model: nn.Module) -> None:
    """Write a state dict that plain PyTorch loads."""
    weights = {k: v.cpu() for k, v in _own(model.state_dict()).items()}
    files.write_bytes(path, _serialized(weights))


def _own(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Copies of the weights; a view into a stack would be saved with the whole stack."""
    return {key: weight.detach().clone() for key, weight in weights.items()}


def _serialized(state: Any) -> bytes:
    # written to memory first, because torch hides the reason when the disk is full
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()
