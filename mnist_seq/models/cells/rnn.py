"""Simple recurrent network: torch's module with a scan.

Source: Elman 1990.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from mnist_seq.config.schema import RNN
from mnist_seq.models.cells import Cell, Layers, Shape, State, torch_options
from mnist_seq.models.initial import initialise_
from mnist_seq.models.kernels.scan import Scanned, products, run_scan

_tanh_backward = torch.ops.aten.tanh_backward.grad_input
_relu_backward = torch.ops.aten.threshold_backward.grad_input


class RNNScan(torch.autograd.Function):
    """h_t = act(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh) over a sequence; act is tanh or ReLU."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Tensor,
        b_hh: Tensor,
        h_0: Tensor | None,
        is_relu: bool,
    ) -> tuple[Tensor, Tensor]:
        """Outputs [T, B, H] and the last of them [B, H].

        In a stack every tensor, arguments included, has a leading axis R.
        """
        (*runs, num_steps, batch, _), hidden = x.shape, w_hh.shape[-1]
        _, addmm, addmm_ = products(w_hh)
        x_rows = x.flatten(-3, -2)
        h = x.new_empty(*runs, num_steps + 1, batch, hidden)  # h[t + 1]: after time step t
        states = h.unbind(-3)
        states[0].zero_() if h_0 is None else states[0].copy_(h_0)
        out = h[..., 1:, :, :].flatten(-3, -2)
        addmm((b_ih + b_hh).unsqueeze(-2), x_rows, w_ih.mT, out=out)
        w = w_hh.mT.contiguous()
        for previous, state in pairwise(states):
            addmm_(state, previous, w)
            torch.relu_(state) if is_relu else state.tanh_()
        ctx.save_for_backward(x_rows, h, w_ih, w_hh)
        ctx.set_materialize_grads(False)
        ctx.is_relu = is_relu
        return h[..., 1:, :, :], states[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_outputs: Tensor | None, d_last: Tensor | None) -> Any:
        """Gradients of the arguments of `forward`."""
        x_rows, h, w_ih, w_hh = ctx.saved_tensors
        mm = products(w_hh).mm
        states = h.unbind(-3)[1:]
        da = h.new_empty(*h.shape[:-3], len(states), *h.shape[-2:])  # gradient of act's input
        dh = torch.zeros_like(states[0]) if d_last is None else d_last.clone()
        of_outputs = None if d_outputs is None else d_outputs.unbind(-3)
        das = da.unbind(-3)
        for t in reversed(range(len(das))):
            if of_outputs is not None:
                dh.add_(of_outputs[t])
            if ctx.is_relu:
                _relu_backward(dh, states[t], 0, grad_input=das[t])
            else:
                _tanh_backward(dh, states[t], grad_input=das[t])
            mm(das[t], w_hh, out=dh)
        da_rows, h_rows = da.flatten(-3, -2), h[..., :-1, :, :].flatten(-3, -2)
        dx = None
        if ctx.needs_input_grad[0]:
            dx = torch.unflatten(mm(da_rows, w_ih), -2, da.shape[-3:-1])
        db = da_rows.sum(-2)
        dh_0 = dh if ctx.needs_input_grad[5] else None
        return dx, mm(da_rows.mT, x_rows), mm(da_rows.mT, h_rows), db, db, dh_0, None


class ScanRNN(Scanned, nn.RNN):
    """`nn.RNN` that trains by `RNNScan` on a CPU and in a stack."""

    def scan(self, x: Tensor, state: State, weights: Sequence[Tensor]) -> tuple[Tensor, State]:
        """See `Scanned`."""
        (h_0,) = state or (None,)
        outputs, *new = run_scan(RNNScan, x, *weights, h_0, self.nonlinearity == "relu")
        return outputs, tuple(new)

    def step_cell(self, input_size: int) -> Cell:
        """See `Scanned`."""
        return RNNCell(input_size, self.hidden_size, is_relu=self.nonlinearity == "relu")


class RNNCell(Cell):
    """The step of `nn.RNN`: h = act(W x + b + U h' + b_hh), where ' marks the time step before."""

    def __init__(self, input_size: int, hidden: int, *, is_relu: bool) -> None:
        super().__init__(input_size, hidden, blocks_x=1, blocks_h=1)
        self.bias_hh = nn.Parameter(torch.empty(hidden))
        self.is_relu = is_relu

    def step(self, x: Tensor, state: State, *noise: Tensor) -> State:
        """See `Cell`; returns h."""
        a = x + F.linear(state[0], self.weight_hh, self.bias_hh)
        return (torch.relu(a) if self.is_relu else torch.tanh(a),)


def build(shape: Shape, model: RNN) -> Layers:
    """`nn.RNN` with tanh or ReLU."""
    rnn = ScanRNN(shape.input_size, nonlinearity=model.nonlinearity, **torch_options(model))
    initialise_(rnn, model)
    return rnn
