"""Runs the LSTM, with any of its gates and activations removed, over a whole sequence.

The backward pass is written by hand: autograd through the step of `cells.lstm.LSTMCell` takes at
least twice as long. `tests/models/test_parity.py` checks that both have equal numbers.

Notation: c is the cell state, h the output; i, f, o are the gates and g is the candidate; a is what
enters a gate's sigmoid; `d_` marks a gradient of the loss.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mnist_seq.models.kernels.scan import products, steps_at_a_time

_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_tanh_backward = torch.ops.aten.tanh_backward.grad_input


@dataclass(frozen=True)
class Parts:
    """The parts that an LSTM has."""

    has_input_gate: bool = True
    has_forget_gate: bool = True
    has_output_gate: bool = True
    is_coupled: bool = False  # f = 1 - i; f then has no weights
    has_input_tanh: bool = True
    has_output_tanh: bool = True

    @property
    def gates(self) -> tuple[str, ...]:
        """The gates that have weights, in the order of their peepholes."""
        has = {
            "i": self.has_input_gate,
            "f": self.has_forget_gate and not self.is_coupled,
            "o": self.has_output_gate,
        }
        return tuple(name for name, is_there in has.items() if is_there)

    @property
    def blocks(self) -> tuple[str, ...]:
        """The blocks of weights, in torch's order: i, f, g, o."""
        return tuple(name for name in "ifgo" if name in (*self.gates, "g"))


class LSTMScan(torch.autograd.Function):
    """An LSTM layer over a whole sequence.

    Inside, the order of the blocks is g, i, f, o. The three sigmoid gates are then adjacent, so one
    call covers them. So are g, i and f, whose gradients are all multiplied by dc.
    """

    @staticmethod
    def forward(
        ctx: Any,
        parts: Parts,
        x: Tensor,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Tensor,
        b_hh: Tensor,
        peepholes: Tensor | None,
        h_0: Tensor | None,
        c_0: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Outputs [T, B, H], the last h and the last c [B, H].

        In a stack every tensor, arguments included, has a leading axis R.

        Args:
            w_ih: [blocks * H, D], in torch's order of blocks.
            w_hh: [blocks * H, H].
            b_ih, b_hh: [blocks * H].
            peepholes: [gates, H], or None.
            h_0, c_0: the state to start from, [B, H]; None for zeros.
        """
        (*runs, num_steps, batch, _), hidden = x.shape, w_hh.shape[-1]
        order = _block_order(parts)
        w_x, w_h, b = (_reordered(w, order) for w in (w_ih, w_hh, (b_ih + b_hh).unsqueeze(-1)))
        x_rows = x.flatten(-3, -2)
        h = x.new_empty(
            *runs, num_steps + 1, batch, hidden
        )  # h[t + 1] is the state after time step t
        c = torch.empty_like(h)
        for states, given in ((h, h_0), (c, c_0)):
            first = states[..., 0, :, :]
            first.zero_() if given is None else first.copy_(given)
        gates = x.new_empty(*runs, num_steps, batch, len(order) * hidden)
        # h = o * read: read is tanh(c), or c without the output activation
        read = h[..., 1:, :, :] if not parts.has_output_gate else c[..., 1:, :, :]
        if parts.has_output_gate and parts.has_output_tanh:
            read = x.new_empty(*runs, num_steps, batch, hidden)
        with torch.inference_mode():  # saves autograd's bookkeeping of every view
            products(w_h).addmm(b.mT, x_rows, w_x.mT, out=gates.flatten(-3, -2))
            _forward_steps(parts, w_h.mT.contiguous(), peepholes, gates, h, c, read)
        ctx.save_for_backward(x_rows, h, c, gates, read, w_x, w_h, peepholes)
        ctx.set_materialize_grads(False)
        ctx.parts = parts
        return h[..., 1:, :, :], h[..., -1, :, :].clone(), c[..., -1, :, :].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_outputs: Tensor | None, d_h: Tensor | None, d_c: Tensor | None) -> Any:
        """Gradients of the arguments of `forward`."""
        x_rows, h, c, gates, read, w_x, w_h, peepholes = ctx.saved_tensors
        parts: Parts = ctx.parts
        mm, _, addmm_ = products(w_h)
        num_steps, batch = gates.shape[-3:-1]
        zeros = torch.zeros_like(h[..., 0, :, :])
        dh, dc = (zeros.clone() if d is None else d.clone() for d in (d_h, d_c))
        back = _Backward(parts, w_h, peepholes, dh, dc)
        d_w_x, d_w_h = torch.zeros_like(w_x), torch.zeros_like(w_h)
        d_b = torch.zeros_like(w_h[..., 0])
        d_peep = None if peepholes is None else torch.zeros_like(peepholes)
        dx = torch.empty_like(x_rows) if ctx.needs_input_grad[1] else None
        chunk = steps_at_a_time(gates[..., 0, :, :])
        buffer = torch.empty_like(gates[..., :chunk, :, :])
        with torch.inference_mode():
            for stop in range(num_steps, 0, -chunk):
                start = max(0, stop - chunk)
                size = stop - start
                steps, rows = (-3, start, size), (-2, start * batch, size * batch)
                d, seen = buffer.narrow(-3, 0, size), c.narrow(-3, start, size + 1)
                of_outputs = None if d_outputs is None else d_outputs.narrow(*steps)
                back.steps(d, gates.narrow(*steps), seen, read.narrow(*steps), of_outputs)
                d_rows = d.flatten(-3, -2)
                addmm_(d_w_x, d_rows.mT, x_rows.narrow(*rows))
                addmm_(d_w_h, d_rows.mT, h.narrow(*steps).flatten(-3, -2))
                d_b += d_rows.sum(-2)
                if dx is not None:
                    mm(d_rows, w_x, out=dx.narrow(*rows))
                if d_peep is not None:
                    by_name = _blocks(parts, d)
                    for k, name in enumerate(parts.gates):
                        c_seen = seen[..., 1:, :, :] if name == "o" else seen[..., :-1, :, :]
                        d_peep[..., k, :] += (by_name[name] * c_seen).sum((-3, -2))
        order = _block_order(parts, is_back=True)
        d_w_x, d_w_h, d_b = (_reordered(d, order) for d in (d_w_x, d_w_h, d_b.unsqueeze(-1)))
        d_b = d_b.squeeze(-1)
        shaped = None if dx is None else torch.unflatten(dx, -2, (num_steps, batch))
        of_state = (d if ctx.needs_input_grad[k] else None for k, d in ((7, dh), (8, dc)))
        return None, shaped, d_w_x, d_w_h, d_b, d_b, d_peep, *of_state


def _forward_steps(
    parts: Parts,
    w: Tensor,
    peepholes: Tensor | None,
    gates: Tensor,
    h: Tensor,
    c: Tensor,
    read: Tensor,
) -> None:
    """Run all time steps: fill `gates`, `h`, `c` and `read`.

    Args:
        gates: on entry W x + b of every time step.
    """
    hidden, addmm_ = h.shape[-1], products(w).addmm_
    by_name = {name: block.unbind(-3) for name, block in _blocks(parts, gates).items()}
    peeps = _peepholes_by_gate(parts, peepholes)
    has_late_o, early = "o" in peeps, [name for name in peeps if name != "o"]
    all_t, g = gates.unbind(-3), by_name["g"]
    i, f, o = (by_name.get(name) for name in "ifo")
    last = gates.shape[-1] - hidden * has_late_o
    sigmoids = gates[..., hidden:last].unbind(-3) if last > hidden else None
    h_t, c_t, read_t = h.unbind(-3), c.unbind(-3), read.unbind(-3)
    for t in range(len(all_t)):
        c_old, c_new = c_t[t], c_t[t + 1]
        addmm_(all_t[t], h_t[t], w)
        for name in early:
            by_name[name][t].addcmul_(peeps[name], c_old)
        if sigmoids is not None:
            sigmoids[t].sigmoid_()
        if parts.has_input_tanh:
            g[t].tanh_()
        if parts.is_coupled:
            assert i is not None
            torch.lerp(c_old, g[t], i[t], out=c_new)
        elif f is not None:
            torch.mul(f[t], c_old, out=c_new)
            c_new.add_(g[t]) if i is None else c_new.addcmul_(i[t], g[t])
        else:
            torch.add(c_old, g[t], out=c_new) if i is None else torch.addcmul(
                c_old, i[t], g[t], out=c_new
            )
        if parts.has_output_tanh:
            torch.tanh(c_new, out=read_t[t])
        elif o is None:
            read_t[t].copy_(c_new)
        if o is not None:
            if has_late_o:
                o[t].addcmul_(peeps["o"], c_new).sigmoid_()
            torch.mul(o[t], read_t[t], out=h_t[t + 1])


@dataclass
class _Backward:
    """The backward pass through time; carries the gradients dh and dc [B, H] from step to step."""

    parts: Parts
    w_h: Tensor
    peepholes: Tensor | None
    dh: Tensor
    dc: Tensor

    def steps(
        self, d: Tensor, gates: Tensor, c: Tensor, read: Tensor, d_outputs: Tensor | None
    ) -> None:
        """Fill d with the gradients of a, for consecutive time steps, the last one first."""
        parts, dh, dc = self.parts, self.dh, self.dc
        hidden, mm = dh.shape[-1], products(self.w_h).mm
        peeps = _peepholes_by_gate(parts, self.peepholes)
        early = [name for name in peeps if name != "o"]
        dc_by_dh = _local_gradients(parts, d, gates, c, read).unbind(-3)
        by_name = _blocks(parts, gates)
        keep = (1 - by_name["i"]) if parts.is_coupled else by_name.get("f")
        keep_t = None if keep is None else keep.unbind(-3)
        d_t = d.unbind(-3)
        d_by_name = {name: block.unbind(-3) for name, block in _blocks(parts, d).items()}
        num_of_c = len(parts.blocks) - parts.has_output_gate
        d_of_c = torch.unflatten(d[..., : num_of_c * hidden], -1, (num_of_c, hidden)).unbind(-4)
        of_outputs = None if d_outputs is None else d_outputs.unbind(-3)
        for t in reversed(range(len(d_t))):
            if of_outputs is not None:
                dh.add_(of_outputs[t])
            dc.addcmul_(dh, dc_by_dh[t])
            if parts.has_output_gate:
                d_by_name["o"][t].mul_(dh)
                if "o" in peeps:
                    dc.addcmul_(d_by_name["o"][t], peeps["o"])
            d_of_c[t].mul_(dc.unsqueeze(-2))
            if keep_t is not None:
                dc.mul_(keep_t[t])
            for name in early:
                dc.addcmul_(d_by_name[name][t], peeps[name])
            mm(d_t[t], self.w_h, out=dh)


def _local_gradients(parts: Parts, d: Tensor, gates: Tensor, c: Tensor, read: Tensor) -> Tensor:
    """Fill d with the derivatives of c by a of g, i and f, and of h by a of o.

    Returns:
        The derivative of h by c.
    """
    by_name, into = _blocks(parts, gates), _blocks(parts, d)
    one, before = gates.new_ones(()).expand(read.shape), c[..., :-1, :, :]
    g, i, o = by_name["g"], by_name.get("i", one), by_name.get("o", one)
    if parts.has_input_tanh:
        _tanh_backward(i, g, grad_input=into["g"])
    else:
        into["g"].copy_(i)
    if "i" in into:
        by_i = g - before if parts.is_coupled else g
        _sigmoid_backward(by_i, i, grad_input=into["i"])
    if "f" in into:
        _sigmoid_backward(before, by_name["f"], grad_input=into["f"])
    if "o" in into:
        _sigmoid_backward(read, o, grad_input=into["o"])
    if not parts.has_output_tanh:
        return o
    dc_by_dh = torch.empty_like(read)
    _tanh_backward(o, read, grad_input=dc_by_dh)
    return dc_by_dh


def _inner_blocks(parts: Parts) -> tuple[str, ...]:
    """The blocks in the order that they have inside this file."""
    return tuple(name for name in "gifo" if name in parts.blocks)


def _blocks(parts: Parts, x: Tensor) -> dict[str, Tensor]:
    """The blocks of the last axis of x, by name."""
    names = _inner_blocks(parts)
    return dict(zip(names, x.chunk(len(names), dim=-1), strict=True))


def _peepholes_by_gate(parts: Parts, peepholes: Tensor | None) -> dict[str, Tensor]:
    """The peepholes [1, H] of each gate that has one, by name."""
    if peepholes is None:
        return {}
    return dict(zip(parts.gates, peepholes.unsqueeze(-2).unbind(-3), strict=True))


def _block_order(parts: Parts, *, is_back: bool = False) -> list[int]:
    """For each block, its position before reordering: torch's order to ours, or back."""
    of, to = (
        (_inner_blocks(parts), parts.blocks) if is_back else (parts.blocks, _inner_blocks(parts))
    )
    return [of.index(name) for name in to]


def _reordered(weight: Tensor, order: list[int]) -> Tensor:
    """The weight with its blocks of rows in another order."""
    blocks = weight.chunk(len(order), dim=-2)
    return torch.cat([blocks[k] for k in order], dim=-2)
