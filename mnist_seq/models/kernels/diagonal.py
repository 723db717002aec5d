"""Runs recurrences that are linear and diagonal in their state over a whole sequence.

Each unit sees only itself at the time step before. Autograd through a loop records every operation
of every time step; here each direction of a pass takes one or two operations a time step, and the
rest is done for all time steps at once. On a CPU this is faster than the parallel forms
(doubling, log space, FFT), since the state of one time step stays in the caches.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mnist_seq.models.kernels.scan import before_each, in_parts, run_scan


def diagonal_scan(a: Tensor, u: Tensor, h_0: Tensor) -> Tensor:
    """h_t = a_t * h_{t-1} + u_t at all time steps.

    Args:
        a, u: [T, B, H], real or complex; a may be expanded where it is the same at all time steps.
        h_0: the state before the first time step, [B, H].
    """
    return run_scan(DiagonalScan, a.expand_as(u), u, h_0)[0]


class DiagonalScan(torch.autograd.Function):
    """See `diagonal_scan`.

    Backward, with g_t all that reaches h_t and * the conjugate: g_t = dh_t + a*_{t+1} g_{t+1},
    du_t = g_t, da_t = g_t h*_{t-1}, dh_0 = a*_1 g_1.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor, u: Tensor, h_0: Tensor) -> tuple[Tensor]:
        """States [T, B, H]; in a stack every tensor has a leading axis R."""
        h = torch.empty_like(u, memory_format=torch.contiguous_format)
        with torch.inference_mode():
            before = h_0
            for a_t, u_t, h_t in zip(a.unbind(-3), u.unbind(-3), h.unbind(-3), strict=True):
                before = torch.addcmul(u_t, a_t, before, out=h_t)
        ctx.save_for_backward(a, h, h_0)
        return (h,)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dh: Tensor) -> Any:
        """Gradients of the arguments of `forward`."""
        a, h, h_0 = ctx.saved_tensors
        a = a.conj().resolve_conj() if a.is_complex() else a
        g, da = (torch.empty_like(h, memory_format=torch.contiguous_format) for _ in range(2))
        dh_0 = torch.empty_like(h_0)
        with torch.inference_mode():
            later, first = torch.zeros_like(h_0), h.shape[-3]
            for g_c, a_c, h_c, dh_c, da_c in reversed([*in_parts(g, a, h, dh, da)]):
                size = g_c.shape[-3]
                first -= size
                g_t, a_t = g_c.copy_(dh_c).unbind(-3), a_c.unbind(-3)
                g_t[-1].add_(later)
                for t in reversed(range(size - 1)):
                    g_t[t].addcmul_(a_t[t + 1], g_t[t + 1])
                later = a_t[0] * g_t[0]
                torch.mul(g_c, before_each(h, h_0, h_c, first).conj(), out=da_c)
            dh_0.copy_(later)
        return da, g, dh_0
