"""minGRU and minLSTM by the compiled library."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mnist_seq.models.kernels.compiled import (
    address_of_gradient,
    before_part,
    own_copy,
    readable,
    rows_of,
)
from mnist_seq.models.kernels.scan import in_parts


class CompiledLerp(torch.autograd.Function):
    """`LerpScan` of one run, in float32."""

    @staticmethod
    def forward(
        ctx: Any,
        functions: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        h_0: Tensor,
        is_positive: bool,
    ) -> tuple[Tensor, Tensor]:
        """States [T, B, H] and the last one."""
        h_0, hidden = h_0.contiguous(), h_0.shape[-1]
        h, first = x.new_empty(*x.shape[:2], hidden), 0
        form = len(bias) // hidden == 3, is_positive
        for h_c, x_c in in_parts(h, x):
            rows = torch.addmm(bias, rows_of(x_c), weight.t())
            before = before_part(h, h_0, first)
            functions.native_lerp_forward(
                *h_c.shape, *form, rows.data_ptr(), before, h_c.data_ptr()
            )
            first += len(h_c)
        ctx.save_for_backward(x, weight, bias, h, h_0)
        ctx.set_materialize_grads(False)
        ctx.functions, ctx.form = functions, form
        return h, h[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dh: Tensor | None, d_last: Tensor | None) -> Any:
        """Gradients of the arguments of `forward`."""
        x, weight, bias, h, h_0 = ctx.saved_tensors
        dx = torch.empty_like(x) if ctx.needs_input_grad[1] else None
        d_weight, d_bias = torch.zeros_like(weight), torch.zeros_like(bias)
        later, dh, first = own_copy(d_last, h_0), readable(dh), len(h)
        for h_c, x_c in reversed([*in_parts(h, x)]):
            first -= len(h_c)
            x_rows = rows_of(x_c)
            d = torch.addmm(bias, x_rows, weight.t())
            ctx.functions.native_lerp_backward(
                *h_c.shape, *ctx.form, d.data_ptr(), before_part(h, h_0, first), h_c.data_ptr(),
                *address_of_gradient(dh, first), later.data_ptr(),
            )  # fmt: skip
            d_weight.add_(d.t() @ x_rows)
            d_bias.add_(d.sum(0))
            if dx is not None:
                dx_c = dx.narrow(0, first, len(h_c))
                dx_c.copy_((d @ weight).view_as(dx_c))
        return None, dx, d_weight, d_bias, later if ctx.needs_input_grad[4] else None, None
