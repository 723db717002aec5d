"""Computes how many runs train at once, and the environment that pins each to its device."""

import os
from collections.abc import Mapping, Sequence
from typing import Literal

from mnist_seq import system
from mnist_seq.config import Config
from mnist_seq.training.preflight.gpus import num_gpus

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

Slots = list[dict[str, str]]  # one environment for each run that trains at once


def open_slots(
    configs: Sequence[Config], *, workers: int | Literal["auto"] = "auto", per_device: int = 1
) -> Slots:
    """The slots: cores / threads of them on a CPU, GPUs * per_device on GPUs, one with MPS.

    Args:
        workers: number of slots, or auto.
    """
    devices = {config.device.name for config in configs}
    num = num_gpus() if devices & {"auto", "cuda"} else 0
    if num:
        slots = gpu_slots(num, per_device)
    else:
        num = 1 if "mps" in devices else max(1, system.cores() // threads_of(configs))
        slots = [{} for _ in range(num)]
    if system.start_method() == "spawn":  # no fork server has these when it imports torch
        threads = dict.fromkeys(THREADS, str(threads_of(configs)))
        added = {name: value for name, value in threads.items() if name not in os.environ}
        slots = [{**added, **slot} for slot in slots]
    return slots if workers == "auto" else [slots[i % len(slots)] for i in range(workers)]


def threads_of(configs: Sequence[Config]) -> int:
    """The largest `device.threads` of these runs."""
    return max((config.device.threads for config in configs), default=1)


def gpu_slots(num_devices: int, per_device: int) -> Slots:
    """Environments that pin each job to one GPU."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    names = [n for n in visible.split(",") if n] or [str(i) for i in range(num_devices)]
    return [{"CUDA_VISIBLE_DEVICES": n} for _ in range(per_device) for n in names[:num_devices]]


def has_gpu(slots: Sequence[Mapping[str, str]]) -> bool:
    """Whether some of these slots are on a GPU."""
    return any("CUDA_VISIBLE_DEVICES" in slot for slot in slots)


def has_stacks(slots: Sequence[Mapping[str, str]], stacks_on: str) -> bool:
    """Whether runs of equal shape are trained as stacks in these slots."""
    return stacks_on == "anything" or (stacks_on == "cuda" and has_gpu(slots))
