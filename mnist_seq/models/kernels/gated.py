"""Runs the RG-LRU over a whole sequence: gates, decay and state in one pass.

All is computed for a few time steps at a time, so that it stays in a core's caches, and again on
the way back: only x and h are kept. Autograd through the same operations for all time steps at once
takes twice the time, most of it for memory.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mnist_seq.models.kernels.compiled import functions_for
from mnist_seq.models.kernels.compiled.gated import CompiledGated
from mnist_seq.models.kernels.scan import before_each, in_parts, run_scan

# The slope of the square root is at most 1000, as in the source
SMALLEST = 1 / (4 * 1000**2)


def gated_scan(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    rate: Tensor,
    h_0: Tensor,
    has_begun: Tensor,
    *,
    is_normalised: bool,
) -> Tensor:
    """h = a * h' + sqrt(1 - a^2) * i * x, a = exp(-rate * r), r, i = sigmoid(W x + b); [T, B, H].

    Args:
        x: [T, B, H].
        weight: of r, and of i if there is one, block-diagonal: [gates, heads, H/heads, H/heads].
        bias: [gates, H].
        rate: [H].
        h_0: the state before the first time step, [B, H].
        has_begun: [B, 1]; where it is 0, the root at the first time step is 1.
        is_normalised: False for 1 in place of the root.
    """
    joint = weight.movedim(0, 2).flatten(-2)  # [heads, H/heads, gates * H/heads]
    operands = (x, joint, bias, rate, h_0, has_begun, is_normalised)
    if functions := functions_for(x, weight):
        h: Tensor = CompiledGated.apply(functions, *operands)  # type: ignore[no-untyped-call]
        return h
    return run_scan(GatedScan, *operands)[0]


class GatedScan(torch.autograd.Function):
    """See `gated_scan`; `weight` is its joint one."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        rate: Tensor,
        h_0: Tensor,
        has_begun: Tensor,
        is_normalised: bool,
    ) -> tuple[Tensor]:
        """States [T, B, H]; in a stack every tensor has a leading axis R."""
        h = torch.empty_like(x, memory_format=torch.contiguous_format)
        ctx.is_normalised = is_normalised
        is_first = has_begun == 0
        with torch.inference_mode():
            before = h_0
            for k, (x_c, h_c) in enumerate(in_parts(x, h)):
                _, i, a, root = _parts(
                    x_c, weight, bias, rate, is_first if k == 0 else None, is_normalised
                )
                u = x_c if i is None else i.mul_(x_c)
                u = u if root is None else root.mul_(u)
                for a_t, u_t, h_t in zip(a.unbind(-3), u.unbind(-3), h_c.unbind(-3), strict=True):
                    before = torch.addcmul(u_t, a_t, before, out=h_t)
        ctx.save_for_backward(x, weight, bias, rate, h_0, is_first, h)
        return (h,)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dh: Tensor) -> Any:
        """Gradients of the arguments of `forward`."""
        x, weight, bias, rate, h_0, is_first, h = ctx.saved_tensors
        dx = torch.empty_like(x, memory_format=torch.contiguous_format)
        d_weight, d_bias, d_rate = (torch.zeros_like(w) for w in (weight, bias, rate))
        later = torch.zeros_like(h_0)  # reaches the state before the part, from later time steps
        first, num_heads = x.shape[-3], weight.shape[-3]
        with torch.inference_mode():
            for x_c, h_c, dh_c, dx_c in reversed([*in_parts(x, h, dh, dx)]):
                size = x_c.shape[-3]
                first -= size
                edge = None if first else is_first
                r, i, a, root = _parts(x_c, weight, bias, rate, edge, ctx.is_normalised)
                g = torch.empty_like(a).copy_(dh_c)
                g_t, a_t = g.unbind(-3), a.unbind(-3)
                g_t[-1].add_(later)
                for t in reversed(range(size - 1)):
                    g_t[t].addcmul_(a_t[t + 1], g_t[t + 1])
                torch.mul(a_t[0], g_t[0], out=later)
                d_log_a = before_each(h, h_0, h_c, first).mul_(g).mul_(a)
                if root is not None:
                    d_root = g * x_c if i is None else g.mul(x_c).mul_(i)
                    d_log_a.sub_(d_root.mul_(_slope(a, root, edge)))
                    g.mul_(root)
                # from here on g is the gradient of i * x
                d_rate.sub_((d_log_a * r).sum((-3, -2)))
                d_gates = [d_log_a.mul_(_wide(rate)).neg_().mul_(r).mul_(1 - r)]
                if i is None:
                    dx_c.copy_(g)
                else:
                    torch.mul(g, i, out=dx_c)
                    d_gates.append(g.mul_(x_c).mul_(i).mul_(1 - i))
                d_bias.add_(torch.stack([d.sum((-3, -2)) for d in d_gates], dim=-2))
                by_head = torch.stack([_heads(d, num_heads) for d in d_gates], dim=-2).flatten(-2)
                d_weight.add_(_heads(x_c, num_heads).mT @ by_head)
                of_x = (by_head @ weight.mT).transpose(-3, -2).flatten(-2)
                dx_c.add_(of_x.view_as(dx_c))
        return dx, d_weight, d_bias, d_rate, later, None, None


def _parts(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    rate: Tensor,
    is_first: Tensor | None,
    is_normalised: bool,
) -> tuple[Tensor, Tensor | None, Tensor, Tensor | None]:
    """r, i, a and the root [T, B, H] of a few time steps; i and the root are None if not there.

    Args:
        is_first: [B, 1], where the first of these time steps is that of a sequence; None: nowhere.
    """
    num_heads, num_gates = weight.shape[-3], bias.shape[-2]
    rows = torch.unflatten(_heads(x, num_heads) @ weight, -1, (num_gates, -1))
    rows = rows.movedim(-2, -4).transpose(-3, -2).flatten(-2)  # [gates, T * B, H]
    gates = torch.sigmoid_(rows.add_(bias.unsqueeze(-2)))
    r, *i = torch.unflatten(gates, -2, x.shape[-3:-1]).unbind(-4)
    log_a = (r * _wide(rate)).neg_()
    if not is_normalised:
        return r, i[0] if i else None, log_a.exp_(), None
    below = log_a.expm1_()  # a - 1, without rounding where a is near 1: 1 - a^2 needs it
    root = (below + 2).mul_(below).neg_().clamp_(min=SMALLEST).sqrt_()
    if is_first is not None:
        root.select(-3, 0).masked_fill_(is_first, 1.0)
    return r, i[0] if i else None, below.add_(1), root


def _slope(a: Tensor, root: Tensor, is_first: Tensor | None) -> Tensor:
    """Minus the derivative of the root by log a; 0 where the root is constant."""
    slope = (a * a / root).masked_fill_(root < 1.0001 * SMALLEST**0.5, 0.0)
    if is_first is not None:
        slope.select(-3, 0).masked_fill_(is_first, 0.0)
    return slope


def _heads(x: Tensor, num_heads: int) -> Tensor:
    """[T, B, H] as [heads, T * B, H / heads]."""
    return torch.unflatten(x.flatten(-3, -2), -1, (num_heads, -1)).transpose(-3, -2)


def _wide(rate: Tensor) -> Tensor:
    """[H] for [T, B, H]; in a stack both have a leading axis."""
    return rate[..., None, None, :]
