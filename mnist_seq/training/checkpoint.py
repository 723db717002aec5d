"""Everything that a resumed run needs to go on as if it had never stopped."""

import io
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mnist_seq.runs import files
from mnist_seq.runs.folder import RunFolder


def save(
    folder: RunFolder,
    *,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loop: dict[str, Any],
    device: torch.device,
) -> None:
    """Write checkpoint.pt: weights, optimizer, random states and the loop's own state.

    The position in the data needs no more than the step: each epoch's order is drawn from the seed
    and the epoch's number.
    """
    random = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        random["cuda"] = torch.cuda.get_rng_state(device)
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "random": random,
        "loop": loop,
    }
    files.write_bytes(folder.checkpoint_path, _serialized(state))


def restore(
    folder: RunFolder,
    *,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    device: torch.device,
) -> dict[str, Any] | None:
    """Load checkpoint.pt into model, optimizer and torch's random state.

    Returns:
        The loop's state, or None where there is no checkpoint.

    Raises:
        ValueError: the file is damaged.
    """
    path = folder.checkpoint_path
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"]["cpu"].cpu())
        if device.type == "cuda" and "cuda" in state["random"]:
            torch.cuda.set_rng_state(state["random"]["cuda"].cpu(), device)
        loop = state["loop"]
    except Exception as error:
        raise ValueError(
            f"{path} must be a checkpoint of this run: {type(error).__name__}: "
            f"{str(error).splitlines()[0] if str(error) else ''}; remove the file to train "
            "from the start"
        ) from error
    assert isinstance(loop, dict)
    return loop


def save_weights(path: Path, model: nn.Module) -> None:
    """Write a state dict that plain PyTorch loads."""
    weights = {k: v.detach().cpu() for k, v in model.state_dict().items()}
    files.write_bytes(path, _serialized(weights))


def _serialized(state: Any) -> bytes:
    # In memory first: torch hides the reason when a disk is full
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()
