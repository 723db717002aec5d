"""Forms of a net for the tools that take it elsewhere: exporters to ONNX, `torch.export`, tracers.

They know fewer operations than torch: no complex numbers, no triangular systems, no `rms_norm`. The
forms here use what all of them know, and have the numbers of torch's own up to rounding.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def is_traced() -> bool:
    """Whether a tool that takes the model elsewhere writes down its operations.

    It would write what a scan computes inside as constants, or refuse it.
    """
    return torch._C._is_tracing() or torch.compiler.is_compiling()


def rms_norm(x: Tensor, scale: Tensor, eps: float) -> Tensor:
    """x divided by its root mean square over the last axis, times `scale`."""
    if not is_traced():
        return F.rms_norm(x, x.shape[-1:], scale, eps)
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * scale


def layer_norm(
    x: Tensor, eps: float, scale: Tensor | None = None, bias: Tensor | None = None
) -> Tensor:
    """x minus its mean over the last axis, divided by its standard deviation; times scale."""
    if not is_traced():
        return F.layer_norm(x, x.shape[-1:], scale, bias, eps)
    x = x - x.mean(-1, keepdim=True)
    x = x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)
    x = x if scale is None else x * scale
    return x if bias is None else x + bias


class RMSNorm(nn.RMSNorm):
    """`nn.RMSNorm` over the last axis, which exporters know too."""

    def forward(self, x: Tensor) -> Tensor:
        """See `rms_norm`."""
        assert self.eps is not None
        return rms_norm(x, self.weight, self.eps) if is_traced() else super().forward(x)


def discretised(re: Tensor, im: Tensor, dt: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """exp(dt a) and (exp(dt a) - 1) / a for a = re + i im, without complex numbers.

    Returns:
        The real and the imaginary part of both.
    """
    keep_re, keep_im = polar((re * dt).exp(), im * dt)
    square = re.square() + im.square()
    by_re = ((keep_re - 1) * re + keep_im * im) / square
    by_im = (keep_im * re - (keep_re - 1) * im) / square
    return keep_re, keep_im, by_re, by_im


def polar(length: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    """The real and the imaginary part of `torch.polar`."""
    return length * angle.cos(), length * angle.sin()


def expm1(x: Tensor) -> Tensor:
    """exp(x) - 1, as exact near 0."""
    return torch.tanh(x / 2) * (x.exp() + 1) if is_traced() else torch.expm1(x)


def first_state(initial: Callable[[Tensor], tuple[Tensor, ...]], x: Tensor) -> tuple[Tensor, ...]:
    """A cell's first state for x [T, B, ...], of any batch size where it is traced.

    An exporter may take a size of x for a constant. So the state is that of one example, plus zeros
    that are computed from x.
    """
    if not is_traced():
        return initial(x)
    zeros = 0 * x[0, :, 0]
    return tuple(
        each + torch.unflatten(zeros, 0, (-1, *(1,) * (each.dim() - 1)))
        for each in initial(x[:, :1])
    )


def zeros_before(x: Tensor, num: int) -> Tensor:
    """Zeros for `num` time steps before those of x [T, B, H]."""
    if not is_traced():
        return x.new_zeros(num, *x.shape[1:])
    return (0 * x[:1]).repeat(num, 1, 1)
