"""HGRN by the compiled library: gates, state, norm and output gate."""

import ctypes
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mnist_seq.models.kernels.compiled import before_part, own_copy, rows_of
from mnist_seq.models.kernels.scan import in_parts

N, P, D = ctypes.c_int64, ctypes.c_void_p, ctypes.c_double


class _Hgrn(ctypes.Structure):
    """`Hgrn` of scans.cpp."""

    _fields_ = (("T", N), ("B", N), ("H", N), ("low", D), ("eps", D), ("bias", P), ("scale", P))


class CompiledHGRN(torch.autograd.Function):
    """A whole layer of one run, in float32; see `cells.hgrn.HGRN`."""

    @staticmethod
    def forward(
        ctx: Any,
        functions: Any,
        x: Tensor,
        weight: Tensor,
        bias_f: Tensor,
        scale: Tensor,
        weight_out: Tensor,
        h_0: Tensor,
        low: float,
        eps: float,
    ) -> tuple[Tensor, Tensor]:
        """y [T, B, H] and the last state; `weight` is of i, f, g: [3 H, D]."""
        h_0, first = h_0.contiguous(), 0
        h = x.new_empty(*x.shape[:2], len(scale))
        y = torch.empty_like(h)
        ctx.settings = low, eps, bias_f.data_ptr(), scale.data_ptr()
        for h_c, x_c, y_c in in_parts(h, x, y):
            rows = rows_of(x_c) @ weight.t()
            o = torch.empty_like(rows_of(h_c))
            functions.native_hgrn_forward(
                ctypes.byref(_Hgrn(*h_c.shape, *ctx.settings)), rows.data_ptr(),
                before_part(h, h_0, first), h_c.data_ptr(), o.data_ptr(),
            )  # fmt: skip
            torch.mm(o, weight_out.t(), out=rows_of(y_c))
            first += len(h_c)
        ctx.save_for_backward(x, weight, bias_f, scale, weight_out, h, h_0)
        ctx.set_materialize_grads(False)
        ctx.functions = functions
        return y, h[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor | None, d_last: Tensor | None) -> Any:
        """Gradients of the arguments of `forward`."""
        x, weight, bias_f, scale, weight_out, h, h_0 = ctx.saved_tensors
        dy = h.new_zeros(()).expand_as(h) if dy is None else dy
        dx = torch.empty_like(x) if ctx.needs_input_grad[1] else None
        d_weight, d_bias, d_out = (torch.zeros_like(w) for w in (weight, bias_f, weight_out))
        of_scale, first = scale.new_zeros(2, len(scale)), len(h)
        later = own_copy(d_last, h_0)
        for h_c, x_c, dy_c in reversed([*in_parts(h, x, dy)]):
            first -= len(h_c)
            x_rows, dy_rows = rows_of(x_c), rows_of(dy_c)
            is_read = bool(dy_c.any())  # with `readout=last`, most time steps are not
            d = x_rows @ weight.t()
            o = dy_rows @ weight_out if is_read else d.new_zeros(len(d), len(scale))
            ctx.functions.native_hgrn_backward(
                ctypes.byref(_Hgrn(*h_c.shape, *ctx.settings)), d.data_ptr(),
                before_part(h, h_0, first), h_c.data_ptr(), o.data_ptr(), later.data_ptr(),
                of_scale.data_ptr(),
            )  # fmt: skip
            num_rows = d.shape[1] if is_read else 2 * len(scale)  # g is for what is read
            d_weight[:num_rows].add_(d[:, :num_rows].t() @ x_rows)
            if is_read:
                d_out.add_(dy_rows.t() @ o)
            d_bias.add_(d[:, len(scale) : 2 * len(scale)].sum(0))
            if dx is not None:
                dx_c = dx.narrow(0, first, len(h_c))
                dx_c.copy_((d @ weight).view_as(dx_c))
        return None, dx, d_weight, d_bias, of_scale[0], d_out, later, None, None
