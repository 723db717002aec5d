"""Runs a layer of the LRU over a whole sequence: products, state and read-out in one pass.

    h = a * h' + B x      y = C h + D * x

h and a are complex. All is computed for a few time steps at a time, so that it stays in a core's
caches; the scan itself takes one operation a time step. Only x and h are kept.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mnist_seq.models.kernels.scan import before_each, in_parts, run_scan


def linear_scan(
    x: Tensor, a: Tensor, b: Tensor, c: Tensor, d: Tensor, h_0: Tensor
) -> tuple[Tensor, Tensor]:
    """y at all time steps [T, B, H], and the last h, [B, N, 2].

    Complex numbers are pairs of real ones, which alternate: nothing is copied in between.

    Args:
        x: [T, B, H].
        a: [N, 2].
        b: [2 N, H].
        c: [H, 2 N].
        d: [H].
        h_0: the state before the first time step, [B, N, 2].
    """
    y, last = run_scan(LinearScan, x, a, b, c, d, h_0)
    return y, last


class LinearScan(torch.autograd.Function):
    """See `linear_scan`.

    Backward, with g_t all that reaches h_t and * the conjugate: g_t = C^T dy_t + a* g_{t+1},
    da = sum of g_t h*_{t-1}, dx_t = B^T g_t + D dy_t, dh_0 = a* g_1.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, a: Tensor, b: Tensor, c: Tensor, d: Tensor, h_0: Tensor
    ) -> tuple[Tensor, Tensor]:
        """y and the last h; in a stack every tensor has a leading axis R."""
        h = x.new_empty(*x.shape[:-1], *h_0.shape[-2:])
        y = torch.empty_like(x, memory_format=torch.contiguous_format)
        with torch.inference_mode():
            a_wide, before = _complex(a).unsqueeze(-2), _complex(h_0)
            for h_c, x_c, y_c in _parts(h, x, y):
                u = (_rows(x_c) @ b.mT).view(h_c.shape)
                u_t, h_t = _complex(u).unbind(-3), _complex(h_c).unbind(-3)
                for t in range(len(h_t)):
                    before = torch.addcmul(u_t[t], a_wide, before, out=h_t[t])
                read = (_rows(h_c.flatten(-2)) @ c.mT).view(y_c.shape)
                torch.addcmul(read, x_c, _wide(d), out=y_c)
        ctx.save_for_backward(x, a, b, c, d, h, h_0)
        ctx.set_materialize_grads(False)
        return y, h.select(-4, -1).clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor | None, d_last: Tensor | None) -> Any:
        """Gradients of the arguments of `forward`."""
        x, a, b, c, d, h, h_0 = ctx.saved_tensors
        dy = x.new_zeros(()).expand_as(x) if dy is None else dy
        dx = torch.empty_like(x, memory_format=torch.contiguous_format)
        da, db, dc, dd = (torch.zeros_like(each) for each in (a, b, c, d))
        dh_0 = torch.zeros_like(h_0) if d_last is None else d_last.clone()
        with torch.inference_mode():
            a_wide = _complex(a).conj().resolve_conj().unsqueeze(-2)
            later, first = _complex(dh_0), x.shape[-3]  # reaches the state before the part
            for h_c, x_c, dy_c, dx_c in reversed(_parts(h, x, dy, dx)):
                size = x_c.shape[-3]
                first -= size
                dy_rows, x_rows = _rows(dy_c), _rows(x_c)
                g = (dy_rows @ c).view(h_c.shape)
                g_t = _complex(g).unbind(-3)
                g_t[-1].add_(later)
                for t in reversed(range(size - 1)):
                    g_t[t].addcmul_(a_wide, g_t[t + 1])
                later = a_wide * g_t[0]
                before = _complex(before_each(h, h_0, h_c, first, axis=-4)).conj_physical_()
                da.add_(torch.view_as_real(before.mul_(_complex(g)).sum((-3, -2))))
                g_rows = _rows(g.flatten(-2))
                db.add_(g_rows.mT @ x_rows)
                dc.add_(dy_rows.mT @ _rows(h_c.flatten(-2)))
                dd.add_((dy_c * x_c).sum((-3, -2)))
                torch.addcmul((g_rows @ b).view(dx_c.shape), dy_c, _wide(d), out=dx_c)
            _complex(dh_0).copy_(later)
        return dx, da, db, dc, dd, dh_0


def _parts(h: Tensor, *others: Tensor) -> list[tuple[Tensor, ...]]:
    """h [T, B, N, 2] and others [T, B, H] in the same parts of a few time steps."""
    sizes = [part.shape[-4] for (part,) in in_parts(h, axis=-4)]
    parts = (torch.split(h, sizes, dim=-4), *(torch.split(each, sizes, dim=-3) for each in others))
    return list(zip(*parts, strict=True))


def _rows(x: Tensor) -> Tensor:
    return x.flatten(-3, -2)


def _wide(d: Tensor) -> Tensor:
    """[H] for [T, B, H]; in a stack both have a leading axis."""
    return d[..., None, None, :]


def _complex(x: Tensor) -> Tensor:
    return torch.view_as_complex(x)
