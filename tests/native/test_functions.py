"""exp, sigmoid and tanh of the native step, over all floats."""

import pytest
import torch
from torch import Tensor

from mnist_seq.native import Library
from tests.conftest import needs_compiler

pytestmark = needs_compiler

NAMES = ("exp", "sigmoid", "tanh")


def of(library: Library, name: str, x: Tensor) -> Tensor:
    y = torch.empty_like(x)
    assert len(x) % 16 == 0
    library.functions.native_function(NAMES.index(name), len(x), x.data_ptr(), y.data_ptr())
    return y


def floats(low: float, high: float, num: int) -> Tensor:
    """Numbers of both signs from low to high, as many of each size, then evenly spaced ones."""
    sizes = torch.logspace(torch.tensor(low).log2(), torch.tensor(high).log2(), num // 4, base=2)
    return torch.cat([sizes, -sizes, torch.linspace(-high, high, num // 2)])


@pytest.mark.parametrize(
    ("name", "high", "bound"),
    [("exp", 86.9, 1e-7), ("sigmoid", 86.9, 1.6e-7), ("tanh", 30.0, 1.8e-7)],
)
def test_the_relative_error_is_small_everywhere(
    native_library: Library, name: str, high: float, bound: float
) -> None:
    """The bounds that vectors.h states."""
    x = floats(1e-30, high, 1 << 18)
    wanted = getattr(torch, name)(x.double())
    error = ((of(native_library, name, x).double() - wanted) / wanted).abs().max()
    assert float(error) < bound


def test_what_is_not_finite_passes_through(native_library: Library) -> None:
    """Overflow saturates as in torch; what is not a number stays so."""
    inf, nan = float("inf"), float("nan")
    x = torch.tensor([inf, -inf, nan, -nan, 100.0, -100.0, 3e38, -3e38] * 2)
    for name in ("sigmoid", "tanh"):
        torch.testing.assert_close(
            of(native_library, name, x), getattr(torch, name)(x), atol=2e-38, rtol=0, equal_nan=True
        )
    assert bool(of(native_library, "exp", x)[2:4].isnan().all())
