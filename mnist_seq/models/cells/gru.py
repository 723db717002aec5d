"""Gated recurrent unit: torch's own, with a hand-written backward pass on the CPU.

Source: Cho et al. 2014, arXiv:1406.1078.
Differs: resets after the recurrent product, as cuDNN does, not before it.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from mnist_seq.config.schema import GRU
from mnist_seq.models.cells import torch_options
from mnist_seq.models.recurrence import Cell, Recurrence, Shape, State
from mnist_seq.models.scan import CHUNK_BYTES, is_scannable, scan_layers

_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_tanh_backward = torch.ops.aten.tanh_backward.grad_input


class GRUScan(torch.autograd.Function):
    """A GRU over a whole sequence, from h = 0.

        r, z = sigmoid(...)    n = tanh(n_x + r * n_h)    h' = n + z * (h - n)

    r, z and n_h of a time step are one product of [h | x | 1] with a joint matrix [3H, H + D + 1]:
    biases are the weights of the 1, and n_h, which r keeps apart from n_x, has zeros for x. So
    weight gradients are one product a chunk, too. n_x is one product of all time steps.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Outputs [T, B, H] and the last of them."""
        (num_steps, batch, _), hidden = x.shape, w_hh.shape[1]
        joint, w_n = _join(w_ih, w_hh, b_ih, b_hh)
        hx1 = x.new_empty(num_steps + 1, batch, joint.shape[1])  # h before time step t, x at t, 1
        h, x1_rows = hx1[..., :hidden], hx1[:-1].flatten(0, 1)[:, hidden:]
        h[0].zero_()
        hx1[:-1, :, hidden:-1] = x
        hx1[:-1, :, -1] = 1
        gates = x.new_empty(num_steps, batch, 4 * hidden)  # r, z, n_h, n
        w = joint.t().contiguous()
        with torch.inference_mode():  # spares autograd's bookkeeping of every view: 4 %
            torch.mm(x1_rows, w_n.t(), out=gates.flatten(0, 1)[:, 3 * hidden :])
            r, z, n_h, n = (gate.unbind(0) for gate in gates.chunk(4, dim=-1))
            rz, rzn_h = (gates[..., : k * hidden].unbind(0) for k in (2, 3))
            h_t, hx1_t = h.unbind(0), hx1.unbind(0)
            for t in range(num_steps):
                torch.mm(hx1_t[t], w, out=rzn_h[t])
                rz[t].sigmoid_()
                n[t].addcmul_(r[t], n_h[t]).tanh_()  # n_x until here
                torch.lerp(n[t], h_t[t], z[t], out=h_t[t + 1])
        ctx.save_for_backward(hx1, gates, w_ih, w_hh)
        ctx.set_materialize_grads(False)
        return h[1:], h[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_outputs: Tensor | None, d_last: Tensor | None) -> Any:
        """Gradients of what `forward` takes."""
        hx1, gates, w_ih, w_hh = ctx.saved_tensors
        num_steps, batch, hidden = len(gates), gates.shape[1], w_hh.shape[1]
        dh = gates.new_zeros(batch, hidden)
        if d_last is not None:
            dh.copy_(d_last)
        d_joint = gates.new_zeros(3 * hidden, hx1.shape[-1])
        d_w_n = gates.new_zeros(hidden, w_ih.shape[1] + 1)
        dx = gates.new_empty(num_steps, batch, w_ih.shape[1]) if ctx.needs_input_grad[0] else None
        chunk = max(1, CHUNK_BYTES // (gates[0].numel() * gates.element_size()))
        d_gates = torch.empty_like(gates[:chunk])
        with torch.inference_mode():
            for stop in range(num_steps, 0, -chunk):
                steps = slice(max(0, stop - chunk), stop)
                d = d_gates[: stop - steps.start]
                _local_gradients(hx1[steps, :, :hidden], gates[steps], out=d)
                z = gates[steps, :, hidden : 2 * hidden].unbind(0)
                d_by_gate = d.view(-1, batch, 4, hidden).unbind(0)
                d_rzn_h = d[..., : 3 * hidden].unbind(0)
                for t in reversed(range(len(d))):
                    if d_outputs is not None:
                        dh.add_(d_outputs[steps.start + t])
                    d_by_gate[t].mul_(dh.unsqueeze(1))
                    dh.mul_(z[t]).addmm_(d_rzn_h[t], w_hh)
                d_rows, hx1_rows = d.flatten(0, 1), hx1[steps].flatten(0, 1)
                d_joint.addmm_(d_rows[:, : 3 * hidden].t(), hx1_rows)
                d_w_n.addmm_(d_rows[:, 3 * hidden :].t(), hx1_rows[:, hidden:])
                if dx is not None:
                    d_rzn_x = torch.cat((d[..., : 2 * hidden], d[..., 3 * hidden :]), dim=-1)
                    torch.matmul(d_rzn_x, w_ih, out=dx[steps])
        of_x = torch.cat((d_joint[: 2 * hidden, hidden:], d_w_n))
        return dx, of_x[:, :-1], d_joint[:, :hidden], of_x[:, -1], d_joint[:, -1]


def _join(w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor) -> tuple[Tensor, Tensor]:
    """The joint matrix of r, z and n_h, and [H, D + 1] of n_x, from torch's weights of r, z, n."""
    rz = slice(2 * w_hh.shape[1])
    of_x = torch.cat((w_ih, b_ih.unsqueeze(1)), dim=1)
    joint = torch.cat((w_hh, torch.zeros_like(of_x)), dim=1)
    joint[:, -1] = b_hh
    joint[rz, w_hh.shape[1] :] += of_x[rz]
    return joint, of_x[rz.stop :]


def _local_gradients(h: Tensor, gates: Tensor, *, out: Tensor) -> None:
    """Derivatives of h' by what enters r, z, n_h and n_x, for several time steps at once."""
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


class ScanGRU(nn.GRU):
    """`nn.GRU` whose training on a CPU goes through `GRUScan`."""

    def forward(self, input: Any, hx: Tensor | None = None) -> Any:
        """As `nn.GRU.forward`."""
        if is_scannable(self, input, hx):
            return scan_layers(self, input, GRUScan.apply)
        return super().forward(input, hx)


class GRUCell(Cell):
    """A GRU that resets before the product or lacks a gate: then r is 1, or z is 0."""

    def __init__(self, input_size: int, hidden: int, options: GRU) -> None:
        has = {"r": options.reset != "none", "z": options.update_gate, "n": True}
        self.blocks = tuple(name for name in "rzn" if has[name])
        num_blocks = len(self.blocks)
        super().__init__(input_size, hidden, blocks_x=num_blocks, blocks_h=num_blocks)
        self.bias_hh = nn.Parameter(torch.empty(num_blocks * hidden))
        self.is_reset_first = options.reset == "before"

    def step(self, x: Tensor, state: State, *noise: Tensor) -> State:
        """The next h."""
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


def build(shape: Shape, model: GRU) -> nn.Module:
    """`nn.GRU`, or the recurrence of `GRUCell` where an option is off its default."""
    if model.reset == "after" and model.update_gate:
        return ScanGRU(shape.input_size, **torch_options(model))
    return Recurrence(lambda size, hidden: GRUCell(size, hidden, model), shape, model)
