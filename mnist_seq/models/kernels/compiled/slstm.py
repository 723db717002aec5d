"""The sLSTM by the compiled library, which computes a time step between two products of torch."""

import ctypes
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mnist_seq.models.kernels.compiled import own_copy, readable, rows_of
from mnist_seq.models.kernels.scan import before_each, in_parts

N = ctypes.c_int64


class _Slstm(ctypes.Structure):
    """`Slstm` of scans.cpp."""

    _fields_ = (("B", N), ("H", N), ("is_exponential", N), ("is_normalised", N))


class CompiledSLSTM(torch.autograd.Function):
    """`SLSTMScan` of one run, in float32."""

    @staticmethod
    def forward(
        ctx: Any,
        functions: Any,
        x: Tensor,
        weight: Tensor,
        h_0: Tensor,
        c_0: Tensor,
        n_0: Tensor,
        m_0: Tensor,
        form: tuple[bool, bool],
    ) -> tuple[Tensor, ...]:
        """Outputs and final states; `weight` is [H, 4 H]."""
        states = [each.contiguous() for each in (h_0, c_0, n_0)]
        m, weight, hidden = m_0.clone().contiguous(), weight.contiguous(), h_0.shape[-1]
        gates = torch.empty_like(x, memory_format=torch.contiguous_format)
        h, c, n = (gates.new_empty(*x.shape[:2], hidden) for _ in range(3))
        shares, read = (gates.new_empty(*x.shape[:2], 2 * hidden) for _ in range(2))
        read = read[:1] if form[1] else read  # not needed
        ctx.size = _Slstm(len(m), hidden, *form)
        all_steps = zip(*(each.unbind(0) for each in (x, gates, h, c, n, shares)), strict=True)
        h_old, c_old, n_old = states
        for t, (x_t, gates_t, *new, shares_t) in enumerate(all_steps):
            torch.addmm(x_t, h_old, weight, out=gates_t)
            functions.native_slstm_forward(
                ctypes.byref(ctx.size), gates_t.data_ptr(), c_old.data_ptr(), n_old.data_ptr(),
                m.data_ptr(), *(each.data_ptr() for each in (*new, shares_t)),
                read[t % len(read)].data_ptr(),
            )  # fmt: skip
            h_old, c_old, n_old = new
        ctx.save_for_backward(weight, *states, h, c, n, gates, shares, read)
        ctx.set_materialize_grads(False)
        ctx.functions = functions
        ctx.mark_non_differentiable(m)
        return h, *(each[-1].clone() for each in (h, c, n)), m

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dh_all: Tensor | None, *d_ends: Tensor | None) -> Any:
        """Gradients of the arguments of `forward`."""
        weight, h_0, c_0, n_0, h, c, n, gates, shares, read = ctx.saved_tensors
        dh, dc, dn = (own_copy(d, h_0) for d in d_ends[:3])
        dx, dw, back = torch.empty_like(gates), torch.zeros_like(weight), weight.t().contiguous()
        given, first = readable(dh_all), len(dx)
        for dx_c, h_c in reversed([*in_parts(dx, h)]):
            first -= len(dx_c)
            for t in reversed(range(first, first + len(dx_c))):
                c_old, n_old = (c[t - 1], n[t - 1]) if t else (c_0, n_0)
                used = (gates[t], c_old, n_old, h[t], n[t], shares[t], read[t % len(read)])
                ctx.functions.native_slstm_backward(
                    ctypes.byref(ctx.size), *(each.data_ptr() for each in used),
                    None if given is None else given[t].data_ptr(),
                    *(each.data_ptr() for each in (dh, dc, dn, dx[t])),
                )  # fmt: skip
                torch.mm(dx[t], back, out=dh)
            before = before_each(h, h_0, h_c, first)
            dw.add_(rows_of(before).t() @ rows_of(dx_c))
        return None, dx, dw, dh, dc, dn, None, None
