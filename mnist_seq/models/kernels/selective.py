"""Runs Mamba's selective scan over a whole sequence, with a hand-written backward pass.

Each channel has N states, whose decay is made from the input. Autograd through a loop would keep
several tensors [B, E, N] of each time step; here one is kept, and the decays are made again.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mnist_seq.models.kernels.scan import run_scan


def selective_scan(
    x: Tensor, d: Tensor, A: Tensor, B: Tensor, C: Tensor, h_0: Tensor
) -> tuple[Tensor, Tensor]:
    """h_t = exp(d_t A) * h_{t-1} + (d_t x_t) B_t and y_t = h_t C_t, and the last h.

    Args:
        x, d: [T, B, E].
        A: [E, N], below 0.
        B, C: [T, B, N].
        h_0: the state before the first time step, [B, E, N].
    """
    y, last = run_scan(SelectiveScan, x, d, A, B, C, h_0)
    return y, last


class SelectiveScan(torch.autograd.Function):
    """See `selective_scan`.

    Backward, with G_t all that reaches h_t: G_t = dy_t C_t + exp(d_{t+1} A) G_{t+1}, dC_t = sum_E
    h_t dy_t, r = sum_N G_t B_t, s = G_t exp(d_t A) h_{t-1}: dx = d r, dd = x r + sum_N s A,
    dA = sum_{T, B} d s, dB_t = sum_E G_t d x, dh_0 = exp(d_1 A) G_1.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, d: Tensor, A: Tensor, B: Tensor, C: Tensor, h_0: Tensor
    ) -> tuple[Tensor, Tensor]:
        """y [T, B, E] and h [B, E, N]; in a stack every tensor has a leading axis R."""
        h = h_0.new_empty(x.shape[-3] + 1, *h_0.shape)  # time first, also in a stack
        h[0] = h_0
        rates, inputs = A.unsqueeze(-3), d * x
        with torch.inference_mode():
            kept = torch.empty_like(h[0])
            parts = (each.unbind(-3) for each in (d, inputs, B))
            for t, (d_t, u_t, b_t) in enumerate(zip(*parts, strict=True)):
                torch.mul(d_t.unsqueeze(-1), rates, out=kept).exp_().mul_(h[t])
                torch.addcmul(kept, u_t.unsqueeze(-1), b_t.unsqueeze(-2), out=h[t + 1])
        y = torch.matmul(h[1:], C.movedim(-3, 0).unsqueeze(-1)).squeeze(-1)
        ctx.save_for_backward(x, d, A, B, C, h)
        return y.movedim(0, -3), h[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor, d_last: Tensor) -> Any:
        """Gradients of the arguments of `forward`."""
        *given, h = ctx.saved_tensors
        x, d, A, B, C = given
        x, d, B, C, dy = (each.movedim(-3, 0).contiguous() for each in (x, d, B, C, dy))
        rates, inputs = A.unsqueeze(-3), d * x
        dC = torch.matmul(dy.unsqueeze(-2), h[1:]).squeeze(-2)
        g = d_last.clone(memory_format=torch.contiguous_format)
        dA, r, dd, dB = (torch.zeros_like(each) for each in (A, x, d, B))
        with torch.inference_mode():
            s = torch.empty_like(g)
            rows, rows_r, rows_b, rows_u, rows_db = (
                each.flatten(first, -3 if each is g else -2)
                for each, first in ((g, 0), (r, 1), (B, 1), (inputs, 1), (dB, 1))
            )
            for t in reversed(range(len(x))):
                g.addcmul_(dy[t].unsqueeze(-1), C[t].unsqueeze(-2))
                torch.bmm(rows, rows_b[t].unsqueeze(-1), out=rows_r[t].unsqueeze(-1))
                torch.bmm(rows_u[t].unsqueeze(1), rows, out=rows_db[t].unsqueeze(1))
                g.mul_(torch.mul(d[t].unsqueeze(-1), rates, out=s).exp_())
                torch.mul(g, h[t], out=s)
                dA.add_(torch.einsum("...be,...ben->...en", d[t], s))
                torch.sum(s.mul_(rates), -1, out=dd[t])
            dd.addcmul_(x, r)
            r.mul_(d)
        return (
            *(each.movedim(0, -3) for each in (r, dd)),
            dA,
            dB.movedim(0, -3),
            dC.movedim(0, -3),
            g,
        )
