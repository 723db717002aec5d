"""Runs the sLSTM over a whole sequence, with a hand-written backward pass.

Autograd through the step of `cells.slstm.SLSTM` takes about twice as long. The recurrent weights
are made one matrix with zeros between the heads: one product a time step, as in the LSTM.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from mnist_seq.models.kernels.compiled import functions_for
from mnist_seq.models.kernels.compiled.slstm import CompiledSLSTM
from mnist_seq.models.kernels.scan import before_each, products, run_scan, steps_at_a_time

LARGEST = 80.0  # of m where it does not cancel; exp(89) is no number of float32


class Form(NamedTuple):
    """The parts that differ from an LSTM."""

    is_exponential: bool  # the input gate; otherwise a sigmoid
    is_normalised: bool  # h is o * c / n; otherwise o * tanh(c)


class _Steps(NamedTuple):
    """What the forward pass keeps of all time steps; each [T, B, ...]."""

    h: Tensor
    c: Tensor
    n: Tensor
    gates: Tensor  # i, f as they enter; then tanh(z) and sigmoid(o): 4 H
    shares: Tensor  # w and k of `SLSTMScan`: 2 H
    read: Tensor  # e and y of `SLSTMScan`, 2 H; nothing where they are not needed


def slstm_scan(
    x: Tensor, weight: Tensor, state: tuple[Tensor, ...], form: Form
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """h at all time steps [T, B, H], and the final h, c, n, m.

    Args:
        x: [T, B, 4 H], W x + b of i, f, z, o.
        weight: [heads, H / heads, 4 H / heads], from h to the same four.
        state: h, c, n, m to start from, [B, H].
        form: see `Form`.
    """
    num_heads, size, _ = weight.shape
    four = torch.unflatten(weight, -1, (4, size))
    own = torch.eye(num_heads, dtype=weight.dtype, device=weight.device)
    joint = four.unsqueeze(-2) * own[:, None, None, :, None]  # [heads, size, 4, heads, size]
    operands = (x, joint.flatten(2).flatten(0, 1), *state, form)
    if functions := functions_for(x, weight):
        outputs, *last = CompiledSLSTM.apply(functions, *operands)  # type: ignore[no-untyped-call]
    else:
        outputs, *last = run_scan(SLSTMScan, *operands)
    return outputs, tuple(last)


class SLSTMScan(torch.autograd.Function):
    """See `slstm_scan`, and `cells.slstm.SLSTM` for the equations.

    Backward, with k = exp(log s(f) + m' - m), w = exp(i - m), r the derivative of i by what enters
    it (1, or 1 - s), and without the normaliser e = exp(m), y = tanh(e c):
        dc += dh o / n or dh o (1 - y^2) e      dn -= dh h / n or nothing
        di = (dc z + dn) w r      df = (dc c' + dn n') k s(-f)      dz = dc w (1 - z^2)
        do = dh h (1 - o)         dc' = dc k      dn' = dn k        dh' = [di df dz do] R^T
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        h_0: Tensor,
        c_0: Tensor,
        n_0: Tensor,
        m_0: Tensor,
        form: Form,
    ) -> tuple[Tensor, ...]:
        """Outputs and final states; `weight` is [H, 4 H]; in a stack all have a leading axis R."""
        gates, hidden = torch.empty_like(x, memory_format=torch.contiguous_format), h_0.shape[-1]
        h, c, n = (gates.new_empty(*gates.shape[:-1], hidden) for _ in range(3))
        num_read = 0 if form.is_normalised else 2 * hidden
        shares, read = (gates.new_empty(*h.shape[:-1], k) for k in (2 * hidden, num_read))
        kept, m = _Steps(h, c, n, gates, shares, read), m_0.clone()
        with torch.inference_mode():
            _forward_steps(x, weight.contiguous(), (h_0, c_0, n_0), m, kept, form)
        ctx.save_for_backward(weight, h_0, c_0, n_0, *kept)
        ctx.set_materialize_grads(False)
        ctx.form = form
        ctx.mark_non_differentiable(m)
        return h, *(each.select(-3, -1).clone() for each in (h, c, n)), m

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dh_all: Tensor | None, *d_ends: Tensor | None) -> Any:
        """Gradients of the arguments of `forward`."""
        weight, h_0, c_0, n_0, *saved = ctx.saved_tensors
        kept = _Steps(*saved)
        dh, *dcn = (torch.zeros_like(h_0) if d is None else d.clone() for d in d_ends[:3])
        d_states = torch.stack(dcn, dim=-3)  # dc and dn [2, B, H]
        dx, dw = torch.empty_like(kept.gates), torch.zeros_like(weight)
        num_steps, size = dx.shape[-3], steps_at_a_time(dx.select(-3, 0))
        with torch.inference_mode():
            back = weight.mT.contiguous()
            for stop in range(num_steps, 0, -size):
                first = max(0, stop - size)
                part = _Steps(*(each.narrow(-3, first, stop - first) for each in kept))
                h, c, n = (
                    before_each(whole, start, here, first)
                    for whole, start, here in zip(kept[:3], (h_0, c_0, n_0), part[:3], strict=True)
                )
                local = _multipliers(part, c, n, ctx.form)
                d = dx.narrow(-3, first, stop - first)
                of_h = None if dh_all is None else dh_all.narrow(-3, first, stop - first)
                _backward_steps(d, of_h, dh, d_states, local, part.shares, back)
                products(dw).addmm_(dw, h.flatten(-3, -2).mT, d.flatten(-3, -2))
        return dx, dw, dh, *d_states.unbind(-3), None, None


def _forward_steps(
    x: Tensor, w: Tensor, state: tuple[Tensor, ...], m: Tensor, kept: _Steps, form: Form
) -> None:
    """Run all time steps from the state h, c, n: fill m and what is kept."""
    addmm = products(w).addmm
    h_old, c_old, n_old = state
    ifzo, wk = (torch.unflatten(each, -1, (-1, m.shape[-1])) for each in kept[3:5])
    i_t, f_t, z_t, o_t = (each.unbind(-3) for each in ifzo.unbind(-2))
    w_t, k_t = (each.unbind(-3) for each in wk.unbind(-2))
    both_t, all_t = kept.shares.unbind(-3), kept.gates.unbind(-3)
    e_t, y_t = (each.unbind(-3) for each in kept.read.chunk(2, dim=-1))
    states = zip(*(each.unbind(-3) for each in (x, *kept[:3])), strict=True)
    for t, (x_t, h, c, n) in enumerate(states):
        addmm(x_t, h_old, w, out=all_t[t])
        i, keep, write, z, o = i_t[t], k_t[t], w_t[t], z_t[t].tanh_(), o_t[t].sigmoid_()
        log_f = F.logsigmoid(f_t[t]).add_(m)
        log_i = i if form.is_exponential else F.logsigmoid(i)
        torch.maximum(log_f, log_i, out=m)
        torch.sub(log_i, m, out=write)
        torch.sub(log_f, m, out=keep)
        both_t[t].exp_()
        torch.mul(keep, c_old, out=c).addcmul_(write, z)
        torch.addcmul(write, keep, n_old, out=n)
        if form.is_normalised:
            torch.mul(o, c, out=h).div_(n)
        else:
            e = torch.clamp(m, max=LARGEST, out=e_t[t]).exp_()
            y = torch.mul(c, e, out=y_t[t]).tanh_()
            torch.mul(o, y, out=h)
        h_old, c_old, n_old = h, c, n


def _multipliers(part: _Steps, c_old: Tensor, n_old: Tensor, form: Form) -> tuple[Tensor, ...]:
    """What multiplies dh for dc and dn, and for do; dc for di, df, dz; and dn for di, df."""
    i, f, z, o = part.gates.chunk(4, dim=-1)
    write, keep = part.shares.chunk(2, dim=-1)
    if form.is_normalised:
        of_h = torch.stack((o, part.h.neg()), dim=-3).div_(part.n.unsqueeze(-3))
    else:
        e, y = part.read.chunk(2, dim=-1)
        of_c = torch.ops.aten.tanh_backward(o, y).mul_(e)
        of_h = torch.stack((of_c, torch.zeros_like(of_c)), dim=-3)
    enters = write if form.is_exponential else torch.sigmoid(-i).mul_(write)
    leaks = torch.sigmoid(-f).mul_(keep)
    by_c = (enters * z, leaks * c_old, torch.ops.aten.tanh_backward(write, z))
    return (
        of_h,
        (1 - o).mul_(part.h),
        torch.stack(by_c, dim=-2),
        torch.stack((enters, leaks.mul_(n_old)), dim=-2),
    )


def _backward_steps(
    d: Tensor,
    d_outputs: Tensor | None,
    dh: Tensor,
    dcn: Tensor,
    local: tuple[Tensor, ...],
    shares: Tensor,
    back: Tensor,
) -> None:
    """Fill d, the gradients of i, f, z, o, of some time steps, the last first; carry dh, dcn on."""
    mm, (of_h, of_o, of_c, of_n) = products(back).mm, local
    blocks = torch.unflatten(d, -1, (4, -1))
    ifz_t, if_t = blocks[..., :3, :].unbind(-4), blocks[..., :2, :].unbind(-4)
    o_t, d_t = blocks[..., 3, :].unbind(-3), d.unbind(-3)
    keep_t = shares.chunk(2, dim=-1)[1].unsqueeze(-3).unbind(-4)
    of_h_t, of_o_t, of_c_t, of_n_t = (
        each.unbind(axis) for each, axis in ((of_h, -4), (of_o, -3), (of_c, -4), (of_n, -4))
    )
    dh_wide = dh.unsqueeze(-3)
    dc, dn = (each.unsqueeze(-2) for each in dcn.unbind(-3))
    given = None if d_outputs is None else d_outputs.unbind(-3)
    for t in reversed(range(len(d_t))):
        if given is not None:
            dh.add_(given[t])
        dcn.addcmul_(of_h_t[t], dh_wide)
        torch.mul(of_c_t[t], dc, out=ifz_t[t])
        if_t[t].addcmul_(of_n_t[t], dn)
        torch.mul(of_o_t[t], dh, out=o_t[t])
        dcn.mul_(keep_t[t])
        mm(d_t[t], back, out=dh)
