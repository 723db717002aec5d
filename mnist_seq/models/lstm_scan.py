"""The LSTM with gates and activations taken away, with a backward pass written by hand.

Autograd through the step of `lstm_cell` takes twice as long and more. A test holds both to each
other.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mnist_seq.models.scan import CHUNK_BYTES

_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_tanh_backward = torch.ops.aten.tanh_backward.grad_input


@dataclass(frozen=True)
class Kind:
    """Which parts an LSTM has."""

    has_input_gate: bool = True
    has_forget_gate: bool = True
    has_output_gate: bool = True
    is_coupled: bool = False  # f = 1 - i, without weights of its own
    has_input_tanh: bool = True
    has_output_tanh: bool = True

    @property
    def gates(self) -> tuple[str, ...]:
        """Gates that have weights."""
        has = {
            "i": self.has_input_gate,
            "f": self.has_forget_gate and not self.is_coupled,
            "o": self.has_output_gate,
        }
        return tuple(name for name, is_there in has.items() if is_there)

    @property
    def blocks(self) -> tuple[str, ...]:
        """Blocks of weights in torch's order: i, f, g, o."""
        return tuple(name for name in "ifgo" if name in (*self.gates, "g"))


def scan(kind: Kind, *tensors: Tensor | None) -> tuple[Tensor, Tensor]:
    """Outputs [T, B, H] and the last of them, from h = c = 0.

    Args:
        tensors: x, w_ih, w_hh, b_ih, b_hh and the peepholes [gates, H], or None.
    """
    outputs, last = LSTMScan.apply(kind, *tensors)  # type: ignore[no-untyped-call]
    return outputs, last


class LSTMScan(torch.autograd.Function):
    """A whole sequence at once. Inside, blocks stand as g, i, f, o: sigmoids side by side, and side
    by side what dc meets on the way back."""

    @staticmethod
    def forward(
        ctx: Any,
        kind: Kind,
        x: Tensor,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Tensor,
        b_hh: Tensor,
        peepholes: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """See `scan`."""
        (num_steps, batch, _), hidden = x.shape, w_hh.shape[1]
        order = _order(kind)
        w_x, w_h, b = (_moved(w, order) for w in (w_ih, w_hh, b_ih + b_hh))
        x_rows = x.reshape(num_steps * batch, -1)
        h = x.new_empty(num_steps + 1, batch, hidden)  # h[t + 1] is the state after time step t
        c = torch.empty_like(h)
        h[0].zero_()
        c[0].zero_()
        gates = x.new_empty(num_steps, batch, len(order) * hidden)
        read = h[1:] if not kind.has_output_gate else c[1:]  # what o multiplies
        if kind.has_output_gate and kind.has_output_tanh:
            read = torch.empty_like(c[1:])
        with torch.inference_mode():  # spares autograd's bookkeeping of every view
            torch.addmm(b, x_rows, w_x.t(), out=gates.view(num_steps * batch, -1))
            _forward_steps(kind, w_h.t().contiguous(), peepholes, gates, h, c, read)
        ctx.save_for_backward(x_rows, h, c, gates, read, w_x, w_h, peepholes)
        ctx.set_materialize_grads(False)
        ctx.kind = kind
        return h[1:], h[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_outputs: Tensor | None, d_last: Tensor | None) -> Any:
        """Gradients of what `forward` takes."""
        x_rows, h, c, gates, read, w_x, w_h, peepholes = ctx.saved_tensors
        kind: Kind = ctx.kind
        num_steps, batch, width = gates.shape
        back = _Backward(kind, w_h, peepholes, torch.zeros_like(h[0]), torch.zeros_like(h[0]))
        if d_last is not None:
            back.dh.copy_(d_last)
        d_w_x, d_w_h = torch.zeros_like(w_x), torch.zeros_like(w_h)
        d_b = gates.new_zeros(width)
        d_peep = None if peepholes is None else torch.zeros_like(peepholes)
        dx = x_rows.new_empty(x_rows.shape) if ctx.needs_input_grad[1] else None
        chunk = max(1, CHUNK_BYTES // (gates[0].numel() * gates.element_size()))
        buffer = torch.empty_like(gates[:chunk])
        with torch.inference_mode():
            for stop in range(num_steps, 0, -chunk):
                steps = slice(max(0, stop - chunk), stop)
                d, seen = buffer[: stop - steps.start], c[steps.start : stop + 1]
                of_outputs = None if d_outputs is None else d_outputs[steps]
                back.steps(d, gates[steps], seen, read[steps], of_outputs)
                rows = slice(steps.start * batch, stop * batch)
                d_rows = d.flatten(0, 1)
                d_w_x.addmm_(d_rows.t(), x_rows[rows])
                d_w_h.addmm_(d_rows.t(), h[steps].flatten(0, 1))
                d_b += d_rows.sum(0)
                if dx is not None:
                    torch.mm(d_rows, w_x, out=dx[rows])
                if d_peep is not None:
                    by_name = _blocks(kind, d)
                    for k, name in enumerate(kind.gates):
                        looked = seen[1:] if name == "o" else seen[:-1]
                        d_peep[k] += (by_name[name] * looked).sum((0, 1))
        order = _order(kind, is_back=True)
        d_w_x, d_w_h, d_b = (_moved(d, order) for d in (d_w_x, d_w_h, d_b))
        shaped = None if dx is None else dx.view(num_steps, batch, -1)
        return None, shaped, d_w_x, d_w_h, d_b, d_b, d_peep


def _forward_steps(
    kind: Kind,
    w: Tensor,
    peepholes: Tensor | None,
    gates: Tensor,
    h: Tensor,
    c: Tensor,
    read: Tensor,
) -> None:
    """Fill gates, which hold what the input adds, h, c and what o multiplies."""
    hidden = h.shape[-1]
    by_name = {name: block.unbind(0) for name, block in _blocks(kind, gates).items()}
    look = {} if peepholes is None else dict(zip(kind.gates, peepholes.unbind(0), strict=True))
    has_late_o, early = "o" in look, [name for name in look if name != "o"]
    all_t, g = gates.unbind(0), by_name["g"]
    i, f, o = (by_name.get(name) for name in "ifo")
    last = gates.shape[-1] - hidden * has_late_o
    sigmoids = gates[..., hidden:last].unbind(0) if last > hidden else None
    h_t, c_t, read_t = h.unbind(0), c.unbind(0), read.unbind(0)
    for t in range(len(gates)):
        c_old, c_new = c_t[t], c_t[t + 1]
        all_t[t].addmm_(h_t[t], w)
        for name in early:
            by_name[name][t].addcmul_(look[name], c_old)
        if sigmoids is not None:
            sigmoids[t].sigmoid_()
        if kind.has_input_tanh:
            g[t].tanh_()
        if kind.is_coupled:
            assert i is not None
            torch.lerp(c_old, g[t], i[t], out=c_new)
        elif f is not None:
            torch.mul(f[t], c_old, out=c_new)
            c_new.add_(g[t]) if i is None else c_new.addcmul_(i[t], g[t])
        else:
            torch.add(c_old, g[t], out=c_new) if i is None else torch.addcmul(
                c_old, i[t], g[t], out=c_new
            )
        if kind.has_output_tanh:
            torch.tanh(c_new, out=read_t[t])
        elif o is None:
            read_t[t].copy_(c_new)
        if o is not None:
            if has_late_o:
                o[t].addcmul_(look["o"], c_new).sigmoid_()
            torch.mul(o[t], read_t[t], out=h_t[t + 1])


@dataclass
class _Backward:
    """Gradients on their way back through time: of h and of c."""

    kind: Kind
    w_h: Tensor
    peepholes: Tensor | None
    dh: Tensor
    dc: Tensor

    def steps(
        self, d: Tensor, gates: Tensor, c: Tensor, read: Tensor, d_outputs: Tensor | None
    ) -> None:
        """Fill d with the gradients of what enters the gates, for some time steps."""
        kind, dh, dc = self.kind, self.dh, self.dc
        hidden = dh.shape[1]
        look = {}
        if self.peepholes is not None:
            look = dict(zip(kind.gates, self.peepholes.unbind(0), strict=True))
        early = [name for name in look if name != "o"]
        dc_by_dh = _local_gradients(kind, d, gates, c, read).unbind(0)
        by_name = _blocks(kind, gates)
        keep = (1 - by_name["i"]) if kind.is_coupled else by_name.get("f")
        keep_t = None if keep is None else keep.unbind(0)
        d_t = d.unbind(0)
        d_by_name = {name: block.unbind(0) for name, block in _blocks(kind, d).items()}
        num_of_c = len(kind.blocks) - kind.has_output_gate
        d_of_c = d[..., : num_of_c * hidden].view(len(d), -1, num_of_c, hidden).unbind(0)
        for t in reversed(range(len(d))):
            if d_outputs is not None:
                dh.add_(d_outputs[t])
            dc.addcmul_(dh, dc_by_dh[t])
            if kind.has_output_gate:
                d_by_name["o"][t].mul_(dh)
                if "o" in look:
                    dc.addcmul_(d_by_name["o"][t], look["o"])
            d_of_c[t].mul_(dc.unsqueeze(1))
            if keep_t is not None:
                dc.mul_(keep_t[t])
            for name in early:
                dc.addcmul_(d_by_name[name][t], look[name])
            torch.mm(d_t[t], self.w_h, out=dh)


def _local_gradients(kind: Kind, d: Tensor, gates: Tensor, c: Tensor, read: Tensor) -> Tensor:
    """Fill d with the derivatives of c by what enters g, i and f, and of h by what enters o.

    Returns the derivative of h by c.
    """
    by_name, into = _blocks(kind, gates), _blocks(kind, d)
    one = gates.new_ones(()).expand(read.shape)
    g, i, o = by_name["g"], by_name.get("i", one), by_name.get("o", one)
    if kind.has_input_tanh:
        _tanh_backward(i, g, grad_input=into["g"])
    else:
        into["g"].copy_(i)
    if "i" in into:
        by_i = g - c[:-1] if kind.is_coupled else g
        _sigmoid_backward(by_i, i, grad_input=into["i"])
    if "f" in into:
        _sigmoid_backward(c[:-1], by_name["f"], grad_input=into["f"])
    if "o" in into:
        _sigmoid_backward(read, o, grad_input=into["o"])
    if not kind.has_output_tanh:
        return o
    dc_by_dh = torch.empty_like(read)
    _tanh_backward(o, read, grad_input=dc_by_dh)
    return dc_by_dh


def _inner(kind: Kind) -> tuple[str, ...]:
    return tuple(name for name in "gifo" if name in kind.blocks)


def _blocks(kind: Kind, x: Tensor) -> dict[str, Tensor]:
    names = _inner(kind)
    return dict(zip(names, x.chunk(len(names), dim=-1), strict=True))


def _order(kind: Kind, *, is_back: bool = False) -> list[int]:
    """Where each block comes from: torch's order to ours, or back."""
    of, to = (_inner(kind), kind.blocks) if is_back else (kind.blocks, _inner(kind))
    return [of.index(name) for name in to]


def _moved(weight: Tensor, order: list[int]) -> Tensor:
    blocks = weight.chunk(len(order))
    return torch.cat([blocks[k] for k in order])
