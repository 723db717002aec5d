"""Gated recurrent unit: torch's module with a scan, `GRUCell` for other options.

Source: Cho et al. 2014, arXiv:1406.1078.
Differs: r multiplies after the recurrent product, as in cuDNN; `model.reset=before` is the paper's.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from mnist_seq.config.reference import default_model
from mnist_seq.config.schema import GRU
from mnist_seq.models.cells import Cell, Layers, Shape, State, torch_options
from mnist_seq.models.initial import initialise_
from mnist_seq.models.kernels.scan import Scanned, products, run_scan, steps_at_a_time
from mnist_seq.models.recurrence import Recurrence

_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_tanh_backward = torch.ops.aten.tanh_backward.grad_input


class GRUScan(torch.autograd.Function):
    """A GRU layer over a whole sequence.

        r, z = sigmoid(W x + U h' + b)    n = tanh(n_x + r * n_h)    h = n + z * (h' - n)

    where ' marks the time step before, n_x = W_n x + b_n and n_h = U_n h' + b_hn.

    Layout: r, z and n_h of one time step are one product of [h | x | 1] with a joint matrix
    [3H, H + D + 1]. The last column holds the biases. The rows of n_h have zeros in the columns of
    x, because r multiplies n_h without n_x. The weight gradients are then one product for each
    chunk of time steps. n_x is one product for all time steps.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Tensor,
        b_hh: Tensor,
        h_0: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Outputs [T, B, H] and the last of them [B, H].

        In a stack every tensor, arguments included, has a leading axis R.
        """
        (*runs, num_steps, batch, _), hidden = x.shape, w_hh.shape[-1]
        mm = products(w_hh).mm
        joint, w_n = _join(w_ih, w_hh, b_ih, b_hh)
        # h before time step t, x at t, 1
        hx1 = x.new_empty(*runs, num_steps + 1, batch, joint.shape[-1])
        h, x1_rows = hx1[..., :hidden], hx1[..., :-1, :, :].flatten(-3, -2)[..., hidden:]
        first = h[..., 0, :, :]
        first.zero_() if h_0 is None else first.copy_(h_0)
        hx1[..., :-1, :, hidden:-1] = x
        hx1[..., :-1, :, -1] = 1
        gates = x.new_empty(*runs, num_steps, batch, 4 * hidden)  # r, z, n_h, n
        w = joint.mT.contiguous()
        with torch.inference_mode():  # saves autograd's bookkeeping of every view: 4 %
            mm(x1_rows, w_n.mT, out=gates.flatten(-3, -2)[..., 3 * hidden :])
            r, z, n_h, n = (gate.unbind(-3) for gate in gates.chunk(4, dim=-1))
            rz, rzn_h = (gates[..., : k * hidden].unbind(-3) for k in (2, 3))
            h_t, hx1_t = h.unbind(-3), hx1.unbind(-3)
            for t in range(num_steps):
                mm(hx1_t[t], w, out=rzn_h[t])
                rz[t].sigmoid_()
                n[t].addcmul_(r[t], n_h[t]).tanh_()  # n holds n_x until here
                torch.lerp(n[t], h_t[t], z[t], out=h_t[t + 1])
        ctx.save_for_backward(hx1, gates, w_ih, w_hh)
        ctx.set_materialize_grads(False)
        return h[..., 1:, :, :], h[..., -1, :, :].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_outputs: Tensor | None, d_last: Tensor | None) -> Any:
        """Gradients of the arguments of `forward`."""
        hx1, gates, w_ih, w_hh = ctx.saved_tensors
        mm, _, addmm_ = products(w_hh)
        (*runs, num_steps, batch, _), hidden = gates.shape, w_hh.shape[-1]
        dh = gates.new_zeros(*runs, batch, hidden) if d_last is None else d_last.clone()
        d_joint = gates.new_zeros(*runs, 3 * hidden, hx1.shape[-1])
        d_w_n = gates.new_zeros(*runs, hidden, w_ih.shape[-1] + 1)
        dx = None
        if ctx.needs_input_grad[0]:
            dx = gates.new_empty(*runs, num_steps, batch, w_ih.shape[-1])
        chunk = steps_at_a_time(gates[..., 0, :, :])
        d_gates = torch.empty_like(gates[..., :chunk, :, :])
        with torch.inference_mode():
            for stop in range(num_steps, 0, -chunk):
                start = max(0, stop - chunk)
                steps = (-3, start, stop - start)
                d, gates_of = d_gates.narrow(-3, 0, stop - start), gates.narrow(*steps)
                _local_gradients(hx1.narrow(*steps)[..., :hidden], gates_of, out=d)
                z = gates_of[..., hidden : 2 * hidden].unbind(-3)
                d_by_gate = torch.unflatten(d, -1, (4, hidden)).unbind(-4)
                d_rzn_h = d[..., : 3 * hidden].unbind(-3)
                of_outputs = None if d_outputs is None else d_outputs.narrow(*steps).unbind(-3)
                for t in reversed(range(stop - start)):
                    if of_outputs is not None:
                        dh.add_(of_outputs[t])
                    d_by_gate[t].mul_(dh.unsqueeze(-2))
                    addmm_(dh.mul_(z[t]), d_rzn_h[t], w_hh)
                d_rows, hx1_rows = d.flatten(-3, -2), hx1.narrow(*steps).flatten(-3, -2)
                addmm_(d_joint, d_rows[..., : 3 * hidden].mT, hx1_rows)
                addmm_(d_w_n, d_rows[..., 3 * hidden :].mT, hx1_rows[..., hidden:])
                if dx is not None:
                    d_rzn_x = torch.cat((d_rows[..., : 2 * hidden], d_rows[..., 3 * hidden :]), -1)
                    mm(d_rzn_x, w_ih, out=dx.narrow(*steps).flatten(-3, -2))
        of_x = torch.cat((d_joint[..., : 2 * hidden, hidden:], d_w_n), dim=-2)
        dh_0 = dh if ctx.needs_input_grad[5] else None
        return dx, of_x[..., :-1], d_joint[..., :hidden], of_x[..., -1], d_joint[..., -1], dh_0


def _join(w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor) -> tuple[Tensor, Tensor]:
    """The joint matrix of r, z and n_h, and the matrix [H, D + 1] of n_x, from torch's weights."""
    hidden = w_hh.shape[-1]
    of_x = torch.cat((w_ih, b_ih.unsqueeze(-1)), dim=-1)
    joint = torch.cat((w_hh, torch.zeros_like(of_x)), dim=-1)
    joint[..., -1] = b_hh
    joint[..., : 2 * hidden, hidden:] += of_x[..., : 2 * hidden, :]
    return joint, of_x[..., 2 * hidden :, :]


def _local_gradients(h: Tensor, gates: Tensor, *, out: Tensor) -> None:
    """Fill `out` with the derivatives of the new h by the pre-activations of r, z, n_h and n_x.

    Args:
        h: the old h, [T, B, H], for several time steps at once.
    """
    rz_size = 2 * h.shape[-1]
    r, z, n_h, n = gates.chunk(4, dim=-1)
    d_r, d_z, d_n_h, d_n_x = out.chunk(4, dim=-1)
    torch.sub(gates.new_ones(()), z, out=d_n_x)
    _tanh_backward(d_n_x, n, grad_input=d_n_x)
    torch.mul(d_n_x, r, out=d_n_h)
    torch.mul(d_n_x, n_h, out=d_r)
    torch.sub(h, n, out=d_z)
    d_rz, rz = out[..., :rz_size], gates[..., :rz_size]
    _sigmoid_backward(d_rz, rz, grad_input=d_rz)


class ScanGRU(Scanned, nn.GRU):
    """`nn.GRU` that trains by `GRUScan` on a CPU and in a stack."""

    def scan(self, x: Tensor, state: State, weights: Sequence[Tensor]) -> tuple[Tensor, State]:
        """See `Scanned`."""
        (h_0,) = state or (None,)
        outputs, *new = run_scan(GRUScan, x, *weights, h_0)
        return outputs, tuple(new)

    def step_cell(self, input_size: int) -> Cell:
        """See `Scanned`."""
        options = default_model("gru")
        assert isinstance(options, GRU)
        return GRUCell(input_size, self.hidden_size, options)


class GRUCell(Cell):
    """A GRU that resets before the product, or lacks a gate. A missing r is 1, a missing z is 0."""

    def __init__(self, input_size: int, hidden: int, options: GRU) -> None:
        has = {"r": options.reset != "none", "z": options.update_gate, "n": True}
        self.blocks = tuple(name for name in "rzn" if has[name])
        num_blocks = len(self.blocks)
        super().__init__(input_size, hidden, blocks_x=num_blocks, blocks_h=num_blocks)
        self.bias_hh = nn.Parameter(torch.empty(num_blocks * hidden))
        self.is_reset_first = options.reset == "before"

    def step(self, x: Tensor, state: State, *noise: Tensor) -> State:
        """See `Cell`; returns h."""
        (h,) = state
        num_gates = len(self.blocks) - 1
        w, b, size = self.weight_hh, self.bias_hh, num_gates * self.hidden
        gates = torch.sigmoid(x[..., :size] + F.linear(h, w[:size], b[:size]))
        each = gates.chunk(num_gates, dim=-1) if num_gates else ()
        named = dict(zip(self.blocks[:-1], each, strict=True))
        r = named.get("r", torch.ones_like(h))
        n_h = F.linear(r * h if self.is_reset_first else h, w[size:], b[size:])
        n = torch.tanh(x[..., size:] + (n_h if self.is_reset_first else r * n_h))
        return (torch.lerp(n, h, named["z"]) if "z" in named else n,)


def build(shape: Shape, model: GRU) -> Layers:
    """`nn.GRU`, or the recurrence of `GRUCell` where an option differs from its default."""
    if model.is_torchs:
        gru: Layers = ScanGRU(shape.input_size, **torch_options(model))
    else:
        gru = Recurrence(lambda size, hidden: GRUCell(size, hidden, model), shape, model)
    initialise_(gru, model)
    return gru
