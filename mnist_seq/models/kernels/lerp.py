"""Runs a layer of minGRU or minLSTM over a whole sequence: products, gates and state in one pass.

    h = (1 - z) * h' + z * n

All is computed for a few time steps at a time, so that it stays in a core's caches, and again on
the way back: only x and h are kept.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mnist_seq.models.kernels.compiled import functions_for
from mnist_seq.models.kernels.compiled.lerp import CompiledLerp
from mnist_seq.models.kernels.scan import before_each, in_parts, run_scan

_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input


def lerp_scan(
    x: Tensor, weight: Tensor, bias: Tensor, h_0: Tensor, *, is_positive: bool
) -> tuple[Tensor, Tensor]:
    """h at all time steps [T, B, H], and at the last one.

    Args:
        x: [T, B, D].
        weight: [blocks * H, D], of the gates and the candidate n. 2 blocks: z = sigmoid(W x + b).
            3 blocks: z = i / (f + i), with f, i = sigmoid(W x + b).
        bias: [blocks * H].
        h_0: the state before the first time step, [B, H].
        is_positive: whether n is W x + b + 1/2 where W x + b >= 0, and its sigmoid elsewhere.
    """
    if functions := functions_for(x, weight):
        found: tuple[Tensor, Tensor] = CompiledLerp.apply(  # type: ignore[no-untyped-call]
            functions, x, weight, bias, h_0, is_positive
        )
        return found
    outputs, last = run_scan(LerpScan, x, weight, bias, h_0, is_positive)
    return outputs, last


class LerpScan(torch.autograd.Function):
    """See `lerp_scan`."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, h_0: Tensor, is_positive: bool
    ) -> tuple[Tensor, Tensor]:
        """States [T, B, H] and the last one; in a stack every tensor has a leading axis R."""
        h = x.new_empty(*x.shape[:-1], h_0.shape[-1])
        with torch.inference_mode():
            before, blocks = h_0, _Blocks(weight, bias, h_0.shape[-1])
            for h_c, x_c in in_parts(h, x):
                *gates, n = blocks.of(x_c)
                z, n = _share(gates), _positive(n) if is_positive else n
                for n_t, z_t, h_t in zip(n.unbind(-3), z.unbind(-3), h_c.unbind(-3), strict=True):
                    before = torch.lerp(before, n_t, z_t, out=h_t)
        ctx.save_for_backward(x, weight, bias, h, h_0)
        ctx.set_materialize_grads(False)
        ctx.is_positive = is_positive
        return h, h.select(-3, -1).clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dh: Tensor | None, d_last: Tensor | None) -> Any:
        """Gradients of the arguments of `forward`."""
        x, weight, bias, h, h_0 = ctx.saved_tensors
        dx = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        d_weight, d_bias = torch.zeros_like(weight), torch.zeros_like(bias)
        # what reaches the state before the part that is worked on, from later time steps
        later = torch.zeros_like(h_0) if d_last is None else d_last.clone()
        given = h.new_zeros(()).expand_as(h) if dh is None else dh
        with torch.inference_mode():
            blocks, first = _Blocks(weight, bias, h_0.shape[-1]), h.shape[-3]
            for h_c, x_c, dh_c in reversed([*in_parts(h, x, given)]):
                size = h_c.shape[-3]
                first -= size
                *gates, n = blocks.of(x_c)
                z = _share(gates)
                g = torch.empty_like(z).copy_(dh_c)
                keep_t, g_t = (1 - z).unbind(-3), g.unbind(-3)
                g_t[-1].add_(later)
                for t in reversed(range(size - 1)):
                    g_t[t].addcmul_(keep_t[t + 1], g_t[t + 1])
                torch.mul(g_t[0], keep_t[0], out=later)
                before = before_each(h, h_0, h_c, first)
                d = h_c.new_empty(*h_c.shape[:-1], weight.shape[-2])
                _local_gradients(gates, z, n, before, g, d, ctx.is_positive)
                d, x_c = d.flatten(-3, -2), x_c.flatten(-3, -2)
                d_weight.add_(d.mT @ x_c)
                d_bias.add_(d.sum(-2))
                if dx is not None:
                    dx_c = dx.narrow(-3, first, size)
                    dx_c.copy_((d @ weight).view_as(dx_c))
        return dx, d_weight, d_bias, later if ctx.needs_input_grad[3] else None, None


class _Blocks:
    """W x + b of each block, with its numbers side by side."""

    def __init__(self, weight: Tensor, bias: Tensor, hidden: int) -> None:
        self.weight = torch.unflatten(weight, -2, (-1, hidden)).mT.contiguous()
        self.bias = torch.unflatten(bias, -1, (-1, 1, hidden))

    def of(self, x: Tensor) -> tuple[Tensor, ...]:
        """Each [T, B, H]; gates after the sigmoid, and what the candidate is made of."""
        x_wide = x.flatten(-3, -2).unsqueeze(-3)
        # expanded here: `matmul` would copy the result
        x_wide = x_wide.expand(*self.weight.shape[:-2], *x_wide.shape[-2:])
        rows = (x_wide @ self.weight).add_(self.bias)
        rows.narrow(-3, 0, rows.shape[-3] - 1).sigmoid_()
        return torch.unflatten(rows, -2, x.shape[-3:-1]).unbind(-4)


def _share(gates: list[Tensor]) -> Tensor:
    """z; i of two gates may be overwritten by nothing else."""
    return gates[0] if len(gates) == 1 else gates[1] / (gates[0] + gates[1])


def _positive(n: Tensor) -> Tensor:
    return torch.where(n >= 0, n + 0.5, torch.sigmoid(n))


def _local_gradients(
    gates: list[Tensor],
    z: Tensor,
    n: Tensor,
    before: Tensor,
    g: Tensor,
    d: Tensor,
    is_positive: bool,
) -> None:
    """Fill d, the gradient of all blocks, from g, that of the new h; all of several time steps.

    Args:
        before: the state before each time step; overwritten, as the gates are.
    """
    *d_gates, dn = d.chunk(len(gates) + 1, dim=-1)
    dz = torch.sub(_positive(n) if is_positive else n, before, out=before).mul_(g)
    if len(gates) == 1:
        _sigmoid_backward(dz, z, grad_input=d_gates[0])
    else:  # z = i / (f + i): its derivatives are z (1 - z) (1 - i), and z (1 - z) (f - 1)
        f, i = gates
        dz.mul_(z).mul_(1 - z)
        torch.mul(f.sub_(1), dz, out=d_gates[0])
        torch.addcmul(dz, dz, i, value=-1, out=d_gates[1])
    torch.mul(g, z, out=dn)
    if is_positive:
        dn.copy_(torch.where(n >= 0, dn, torch.ops.aten.sigmoid_backward(dn, torch.sigmoid(n))))
