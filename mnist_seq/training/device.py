"""Chooses the device of a run and sets threads, precision and determinism."""

import contextlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch

from mnist_seq.config import ConfigError
from mnist_seq.config.schema import Device


def open_device(device: Device) -> torch.device:
    """Choose the device and set this process up for it.

    Raises:
        ConfigError: this machine has no such device, or the device lacks a requested feature.
    """
    chosen = check_device(device)
    # Vanishing gradients become denormal numbers, and a CPU computes slowly with them: a step
    # of an LSTM over 784 time steps takes 3.3 s with them, 0.5 s without. Threads inherit it.
    for dtype in (np.float32, np.float64):
        np.finfo(dtype)  # numpy 1 looks for the smallest number once, and warns where it is zero
    torch.set_flush_denormal(True)
    torch.set_num_threads(device.threads)
    if chosen.type == "cuda":
        # cuBLAS reads it with its first handle; deterministic mode refuses to run without it
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    wanted = device.deterministic and chosen.type != "cpu"
    if torch.are_deterministic_algorithms_enabled() != wanted:
        torch.use_deterministic_algorithms(wanted)  # its first call costs 1.3 s of imports
    # no code reads memory that it has not written, and filling each new tensor costs a kernel
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    # by default torch lets cuDNN round the operands of an LSTM's products to 10 bits
    torch.backends.cudnn.allow_tf32 = device.precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = device.precision == "tf32"
    torch.backends.cudnn.deterministic = device.deterministic
    torch.backends.cudnn.benchmark = False
    return chosen


@contextlib.contextmanager
def torch_as_before() -> Iterator[None]:
    """Restore, at the end of the block, the settings of torch that `open_device` changes."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    flags: list[tuple[Any, str]] = [
        (torch.utils.deterministic, "fill_uninitialized_memory"),
        (torch.backends.cuda.matmul, "allow_tf32"),
        *((torch.backends.cudnn, name) for name in ("allow_tf32", "deterministic", "benchmark")),
    ]
    values = [getattr(of, name) for of, name in flags]
    try:
        yield
    finally:
        torch.set_flush_denormal(False)  # torch has no getter for it; this is its initial value
        torch.set_num_threads(threads)
        if torch.are_deterministic_algorithms_enabled() != deterministic:
            torch.use_deterministic_algorithms(deterministic)
        for (of, name), value in zip(flags, values, strict=True):
            setattr(of, name, value)


def check_device(device: Device) -> torch.device:
    """The device that a config chooses on this machine; no setting is changed.

    Raises:
        ConfigError: this machine has no such device, or the device lacks a requested feature.
    """
    chosen = _choose(device)
    # On CUDA, autocast gives cuDNN's recurrences float16 where bf16 is asked (torch's AutocastRNN)
    works_on = {"bf16": "cpu", "tf32": "cuda"}.get(device.precision, chosen.type)
    if chosen.type != works_on:
        raise ConfigError(
            f"device.precision={device.precision} needs device={works_on}: device={chosen.type}; "
            "choose device.precision=fp32"
        )
    return chosen


def _choose(device: Device) -> torch.device:
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if device.name == "auto":  # nets of this size are slower on MPS than on its CPU
        return torch.device("cuda" if available["cuda"] else "cpu")
    if not available[device.name]:
        there = ", ".join(name for name, is_there in available.items() if is_there)
        raise ConfigError(
            f"device={device.name} must be one that torch {torch.__version__} finds here "
            f"({there}); write device=auto or device=cpu"
        )
    return torch.device(device.name)


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """bf16 autocast if the precision is bf16, else a context that does nothing."""
    if precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()


def device_name(device: torch.device) -> str:
    """The name of the GPU on CUDA, else the type of the device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def sum_dtype(device: torch.device) -> torch.dtype:
    """Data type of sums over examples: float32 where a device has no float64, as MPS."""
    return torch.float64 if device.type in ("cpu", "cuda") else torch.float32
