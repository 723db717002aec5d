"""What a process is set up for before it trains."""

import pytest
import torch

from mnist_seq.config import ConfigError
from mnist_seq.notebook import compose
from mnist_seq.training.device import open_device, torch_as_before


def test_numbers_that_vanish_are_zero() -> None:
    """A CPU is slow at denormal numbers, and gradients over 784 time steps end there."""
    device = open_device(compose("device=cpu").device)
    tiny = torch.full((64,), torch.finfo(torch.float32).tiny, device=device)
    assert (tiny / 2).count_nonzero() == 0


def test_fp32_is_not_rounded_unasked() -> None:
    """torch lets cuDNN round to 10 bits, where nobody has asked for it."""
    torch.backends.cudnn.allow_tf32 = True
    open_device(compose("device=cpu").device)
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


def test_tf32_is_refused_where_there_is_none() -> None:
    with pytest.raises(ConfigError, match=r"device\.precision=tf32 needs device=cuda: device=cpu"):
        open_device(compose("device=cpu", "device.precision=tf32").device)


def test_what_a_run_sets_up_can_be_put_back() -> None:
    """A notebook computes other things too, on more threads than one run wants."""

    def settings() -> list[object]:
        cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
        return [
            torch.get_num_threads(),
            torch.are_deterministic_algorithms_enabled(),
            torch.utils.deterministic.fill_uninitialized_memory,  # type: ignore[attr-defined]
            *(cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark, matmul.allow_tf32),
        ]

    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = True
    before = settings()
    with torch_as_before():
        open_device(compose("device=cpu", "device.threads=1").device)
        assert settings() != before
    assert settings() == before
    tiny = torch.full((64,), torch.finfo(torch.float32).tiny)
    assert (tiny / 2).count_nonzero() == 64
    torch.set_num_threads(threads)
