"""Runs minGRU and minLSTM over a whole sequence: gates, candidate and state in one pass.

    h = (1 - z) * h' + z * n

Gates and candidate are computed for a few time steps at a time, so that they stay in a core's
caches, and again on the way back. Values and gradients are bit for bit those of autograd through
`torch.lerp(h, n_t, z_t)` in a loop.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mnist_seq.models.kernels.scan import before_each, in_parts, run_scan

_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input


def lerp_scan(
    x: Tensor, h_0: Tensor, *, num_gates: int, is_positive: bool
) -> tuple[Tensor, Tensor]:
    """h at all time steps [T, B, H], and at the last one.

    Args:
        x: [T, B, (num_gates + 1) * H], before activations: the gates, then the candidate.
        h_0: the state before the first time step, [B, H].
        num_gates: 1: z = sigmoid(x). 2: z = i / (f + i), with f, i = sigmoid(x).
        is_positive: whether the candidate is x + 1/2 where x >= 0 and sigmoid(x) elsewhere, not x.
    """
    outputs, last = run_scan(LerpScan, x, h_0, num_gates, is_positive)
    return outputs, last


class LerpScan(torch.autograd.Function):
    """See `lerp_scan`."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, h_0: Tensor, num_gates: int, is_positive: bool
    ) -> tuple[Tensor, Tensor]:
        """States [T, B, H] and the last one; in a stack every tensor has a leading axis R."""
        z = x.new_empty(*x.shape[:-1], x.shape[-1] // (num_gates + 1))
        h = torch.empty_like(z)
        with torch.inference_mode():
            before = h_0
            for x_c, z_c, h_c in in_parts(x, z, h):
                *gates, n = x_c.chunk(num_gates + 1, dim=-1)
                torch.sigmoid(gates[-1], out=z_c)
                if num_gates == 2:
                    z_c.div_(torch.sigmoid(gates[0]).add_(z_c))
                n = _positive(n) if is_positive else n
                for n_t, z_t, h_t in zip(n.unbind(-3), z_c.unbind(-3), h_c.unbind(-3), strict=True):
                    before = torch.lerp(before, n_t, z_t, out=h_t)
        ctx.save_for_backward(x, z, h, h_0)
        ctx.set_materialize_grads(False)
        ctx.num_gates, ctx.is_positive = num_gates, is_positive
        return h, h.select(-3, -1).clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dh: Tensor | None, d_last: Tensor | None) -> Any:
        """Gradients of the arguments of `forward`."""
        x, z, h, h_0 = ctx.saved_tensors
        dx = torch.empty_like(x)
        dh = torch.zeros_like(h) if dh is None else dh
        # what reaches the state before the part that is worked on, from later time steps
        later = torch.zeros_like(h_0) if d_last is None else d_last.clone()
        with torch.inference_mode():
            first = h.shape[-3]
            for x_c, z_c, h_c, dh_c, dx_c in reversed([*in_parts(x, z, h, dh, dx)]):
                size = z_c.shape[-3]
                first -= size
                g = torch.empty_like(z_c).copy_(dh_c)
                keep, g_t = 1 - z_c, g.unbind(-3)
                keep_t = keep.unbind(-3)
                for t in reversed(range(size)):  # addcmul would round once, autograd twice
                    torch.mul(g_t[t].add_(later), keep_t[t], out=later)
                before = before_each(h, h_0, h_c, first)
                _local_gradients(x_c, z_c, before, g, dx_c, ctx.num_gates, ctx.is_positive)
        return dx, later if ctx.needs_input_grad[1] else None, None, None


def _positive(n: Tensor) -> Tensor:
    return torch.where(n >= 0, n + 0.5, torch.sigmoid(n))


def _local_gradients(
    x: Tensor, z: Tensor, before: Tensor, g: Tensor, dx: Tensor, num_gates: int, is_positive: bool
) -> None:
    """Fill dx, the gradient of x, from g, that of the new h; all of several time steps.

    Args:
        before: the state before each time step; overwritten, as g is.
    """
    *gates, n = x.chunk(num_gates + 1, dim=-1)
    *d_gates, dn = dx.chunk(num_gates + 1, dim=-1)
    dz = torch.sub(_positive(n) if is_positive else n, before, out=before).mul_(g)
    if num_gates == 1:
        _sigmoid_backward(dz, z, grad_input=d_gates[0])
    else:  # z = i / s with s = f + i
        f, i = torch.sigmoid(gates[0]), torch.sigmoid(gates[1])
        s = f + i
        ds = (z / s).mul_(dz).neg_()
        _sigmoid_backward(ds, f, grad_input=d_gates[0])
        _sigmoid_backward(dz.div_(s).add_(ds), i, grad_input=d_gates[1])
    torch.mul(g, z, out=dn)
    if is_positive:
        dn.copy_(torch.where(n >= 0, dn, torch.ops.aten.sigmoid_backward(dn, torch.sigmoid(n))))
