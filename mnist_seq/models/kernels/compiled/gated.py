"""The RG-LRU by the compiled library."""

import ctypes
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mnist_seq.models.kernels.compiled import address_of_gradient, before_part, readable
from mnist_seq.models.kernels.scan import in_parts

N, P = ctypes.c_int64, ctypes.c_void_p


class _Gated(ctypes.Structure):
    """`Gated` of scans.cpp."""

    _fields_ = (
        ("T", N), ("B", N), ("H", N), ("heads", N), ("gates", N), ("is_normalised", N),
        ("rows", P), ("bias", P), ("rate", P), ("x", P), ("begun", P),
    )  # fmt: skip


class CompiledGated(torch.autograd.Function):
    """`GatedScan` of one run, in float32."""

    @staticmethod
    def forward(
        ctx: Any,
        functions: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        rate: Tensor,
        h_0: Tensor,
        has_begun: Tensor,
        is_normalised: bool,
    ) -> Tensor:
        """States [T, B, H]."""
        x, h_0, has_begun = x.contiguous(), h_0.contiguous(), has_begun.contiguous()
        weight, bias, rate = weight.contiguous(), bias.contiguous(), rate.contiguous()
        h, first = torch.empty_like(x), 0
        ctx.is_normalised = is_normalised
        for x_c, h_c in in_parts(x, h):
            rows = torch.bmm(_heads(x_c, len(weight)), weight)
            part = _part(ctx, x_c, rows, bias, rate, None if first else has_begun)
            functions.native_gated_forward(
                ctypes.byref(part), before_part(h, h_0, first), h_c.data_ptr()
            )
            first += len(h_c)
        ctx.save_for_backward(x, weight, bias, rate, h_0, has_begun, h)
        ctx.functions = functions
        return h

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dh: Tensor) -> Any:
        """Gradients of the arguments of `forward`."""
        x, weight, bias, rate, h_0, has_begun, h = ctx.saved_tensors
        given = readable(dh)
        d_weight, d_bias, dx = (torch.zeros_like(weight), torch.zeros_like(bias),
                                torch.empty_like(x))  # fmt: skip
        of_rate, later, first = rate.new_zeros(2, len(rate)), torch.zeros_like(h_0), len(h)
        for h_c, x_c, dx_c in reversed([*in_parts(h, x, dx)]):
            first -= len(h_c)
            by_head = _heads(x_c, len(weight))
            d = torch.bmm(by_head, weight)
            part = _part(ctx, x_c, d, bias, rate, None if first else has_begun)
            ctx.functions.native_gated_backward(
                ctypes.byref(part), d.data_ptr(), before_part(h, h_0, first), h_c.data_ptr(),
                *address_of_gradient(given, first), later.data_ptr(), dx_c.data_ptr(),
                of_rate.data_ptr(),
            )  # fmt: skip
            d_weight.add_(torch.bmm(by_head.mT, d))
            gates = torch.unflatten(d.sum(1), -1, (len(bias), -1))  # [heads, gates, H / heads]
            d_bias.add_(gates.transpose(0, 1).flatten(1))
            of_x = torch.bmm(d, weight.mT).transpose(0, 1).reshape(dx_c.shape)
            dx_c.add_(of_x)
        return None, dx, d_weight, d_bias, -of_rate[0], later, None, None


def _heads(x: Tensor, num_heads: int) -> Tensor:
    """[T, B, H] as [heads, T * B, H / heads]."""
    return torch.unflatten(x.flatten(0, 1), -1, (num_heads, -1)).transpose(0, 1)


def _part(
    ctx: Any, x: Tensor, rows: Tensor, bias: Tensor, rate: Tensor, has_begun: Tensor | None
) -> _Gated:
    begun = None if has_begun is None else has_begun.data_ptr()
    return _Gated(
        *x.shape, len(rows), len(bias), int(ctx.is_normalised), rows.data_ptr(), bias.data_ptr(),
        rate.data_ptr(), x.data_ptr(), begun,
    )  # fmt: skip
