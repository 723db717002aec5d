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

from mnist_seq.models.kernels.scan import run_scan


def diagonal_scan(a: Tensor, u: Tensor, h_0: Tensor) -> Tensor:
    """h_t = a_t * h_{t-1} + u_t at all time steps.

    Args:
        a, u: [T, B, H], real or complex; a may be expanded where it is the same at all time steps.
        h_0: the state before the first time step, [B, H].
    """
    return run_scan(DiagonalScan, a.expand_as(u), u, h_0)[0]


def lerp_scan(n: Tensor, z: Tensor, h_0: Tensor) -> tuple[Tensor, Tensor]:
    """h_t = (1 - z_t) * h_{t-1} + z_t * n_t at all time steps [T, B, H], and at the last one.

    Values and gradients are bit for bit those of `torch.lerp(h, n_t, z_t)` in a loop.
    """
    outputs, last = run_scan(LerpScan, n, z, h_0)
    return outputs, last


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
        needs_a, needs_u, needs_h_0 = ctx.needs_input_grad
        a = a.conj().resolve_conj() if a.is_complex() else a
        g = dh.clone(memory_format=torch.contiguous_format)
        with torch.inference_mode():
            g_t, a_t = g.unbind(-3), a.unbind(-3)
            for t in reversed(range(len(g_t) - 1)):
                g_t[t].addcmul_(a_t[t + 1], g_t[t + 1])
        da = g * _before(h, h_0).conj() if needs_a else None
        dh_0 = a.select(-3, 0) * g.select(-3, 0) if needs_h_0 else None
        return da, g if needs_u else None, dh_0


class LerpScan(torch.autograd.Function):
    """See `lerp_scan`."""

    @staticmethod
    def forward(ctx: Any, n: Tensor, z: Tensor, h_0: Tensor) -> tuple[Tensor, Tensor]:
        """States [T, B, H] and the last one; in a stack every tensor has a leading axis R."""
        h = torch.empty_like(n, memory_format=torch.contiguous_format)
        with torch.inference_mode():
            before = h_0
            for n_t, z_t, h_t in zip(n.unbind(-3), z.unbind(-3), h.unbind(-3), strict=True):
                before = torch.lerp(before, n_t, z_t, out=h_t)
        ctx.save_for_backward(n, z, h, h_0)
        ctx.set_materialize_grads(False)
        return h, h.select(-3, -1).clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dh: Tensor | None, d_last: Tensor | None) -> Any:
        """Gradients of the arguments of `forward`."""
        n, z, h, h_0 = ctx.saved_tensors
        g = torch.zeros_like(h) if dh is None else dh.clone(memory_format=torch.contiguous_format)
        if d_last is not None:
            g.select(-3, -1).add_(d_last)
        keep = 1 - z
        passed_on = torch.empty_like(h_0, memory_format=torch.contiguous_format)
        with torch.inference_mode():
            g_t, keep_t = g.unbind(-3), keep.unbind(-3)
            for t in reversed(range(len(g_t) - 1)):  # addcmul_ would round once, autograd twice
                g_t[t].add_(torch.mul(g_t[t + 1], keep_t[t + 1], out=passed_on))
        dh_0 = g.select(-3, 0) * keep.select(-3, 0) if ctx.needs_input_grad[2] else None
        dz, later = torch.empty_like(h), h.shape[-3] - 1  # n less the state before, times g
        torch.sub(n.select(-3, 0), h_0, out=dz.select(-3, 0))
        torch.sub(n.narrow(-3, 1, later), h.narrow(-3, 0, later), out=dz.narrow(-3, 1, later))
        dz.mul_(g)
        return g.mul_(z), dz, dh_0


def _before(h: Tensor, h_0: Tensor) -> Tensor:
    """The state before each time step."""
    return torch.cat((h_0.unsqueeze(-3), h.narrow(-3, 0, h.shape[-3] - 1)), dim=-3)
