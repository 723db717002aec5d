"""Counts the GPUs of this machine, without torch where there can be none."""

import os
import sys
from pathlib import Path

_DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")  # NVIDIA's, its in WSL, AMD's


def num_gpus() -> int:
    """Number of GPUs that torch can use through CUDA or ROCm."""
    has_driver = any(Path(path).exists() for path in _DRIVERS)
    is_none_there = sys.platform == "darwin" or (sys.platform == "linux" and not has_driver)
    if is_none_there or os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        return 0
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0
