"""The LRU by the compiled library."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mnist_seq.models.kernels.compiled import before_part, own_copy, rows_of
from mnist_seq.models.kernels.scan import in_parts


class CompiledLinear(torch.autograd.Function):
    """`LinearScan` of one run, in float32. Real parts come before all imaginary ones, here."""

    @staticmethod
    def forward(
        ctx: Any,
        functions: Any,
        x: Tensor,
        a: Tensor,
        b: Tensor,
        c: Tensor,
        d: Tensor,
        h_0: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """y [T, B, H] and the last h [B, 2 N]; a [2 N], b [2 N, H], c [H, 2 N], d [H]."""
        a, h_0, y, first = a.contiguous(), h_0.contiguous(), torch.empty_like(x), 0
        h = x.new_empty(*x.shape[:2], len(a))
        for h_c, x_c, y_c in in_parts(h, x, y):
            torch.mm(rows_of(x_c), b.t(), out=rows_of(h_c))
            functions.native_linear_forward(
                *h_c.shape[:2], len(a) // 2, a.data_ptr(), before_part(h, h_0, first),
                h_c.data_ptr(),
            )  # fmt: skip
            read = (rows_of(h_c) @ c.t()).view(y_c.shape)
            torch.addcmul(read, x_c, d, out=y_c)
            first += len(h_c)
        ctx.save_for_backward(x, a, b, c, d, h, h_0)
        ctx.set_materialize_grads(False)
        ctx.functions = functions
        return y, h[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor | None, d_last: Tensor | None) -> Any:
        """Gradients of the arguments of `forward`."""
        x, a, b, c, d, h, h_0 = ctx.saved_tensors
        dy = x.new_zeros(()).expand_as(x) if dy is None else dy
        of_a, has_dx = a.new_zeros(2, len(a)), ctx.needs_input_grad[1]
        dx = torch.empty_like(x) if has_dx else x
        db, dc, dd = (torch.zeros_like(each) for each in (b, c, d))
        later, first = own_copy(d_last, h_0), len(h)
        for h_c, x_c, dy_c, dx_c in reversed([*in_parts(h, x, dy, dx)]):
            first -= len(h_c)
            dy_rows, x_rows = rows_of(dy_c), rows_of(x_c)
            is_read = bool(dy_c.any())  # with `readout=last`, most time steps are not
            g = dy_rows @ c if is_read else x.new_zeros(len(dy_rows), len(a))
            ctx.functions.native_linear_backward(
                *h_c.shape[:2], len(a) // 2, a.data_ptr(), before_part(h, h_0, first),
                h_c.data_ptr(), g.data_ptr(), later.data_ptr(), of_a.data_ptr(),
            )  # fmt: skip
            db.add_(g.t() @ x_rows)
            if is_read:
                dc.add_(dy_rows.t() @ rows_of(h_c))
                dd.add_((dy_c * x_c).sum((0, 1)))
            if has_dx:
                torch.addcmul((g @ b).view(dx_c.shape), dy_c, d, out=dx_c)
        return None, dx if has_dx else None, of_a[0], db, dc, dd, later
