"""Simple recurrent network: torch's own, with a hand-written backward pass on the CPU.

Source: Elman 1990.
"""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from mnist_seq.config.schema import RNN
from mnist_seq.models.cells import torch_options
from mnist_seq.models.recurrence import Shape
from mnist_seq.models.scan import is_scannable, scan_layers

_tanh_backward = torch.ops.aten.tanh_backward.grad_input
_relu_backward = torch.ops.aten.threshold_backward.grad_input


class RNNScan(torch.autograd.Function):
    """h_t = act(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh) over a whole sequence, h_{-1} = 0."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor, is_relu: bool
    ) -> tuple[Tensor, Tensor]:
        """Outputs [T, B, H] and the last of them."""
        num_steps, batch, hidden = len(x), x.shape[1], w_hh.shape[1]
        x_rows = x.reshape(num_steps * batch, -1)
        h = x.new_empty(num_steps + 1, batch, hidden)  # h[t + 1] is the state after time step t
        h[0].zero_()
        torch.addmm(b_ih + b_hh, x_rows, w_ih.t(), out=h[1:].view(-1, hidden))
        w = w_hh.t().contiguous()
        states = h.unbind(0)
        for previous, state in pairwise(states):
            state.addmm_(previous, w)
            torch.relu_(state) if is_relu else state.tanh_()
        ctx.save_for_backward(x_rows, h, w_ih, w_hh)
        ctx.set_materialize_grads(False)
        ctx.is_relu = is_relu
        return h[1:], h[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_outputs: Tensor | None, d_last: Tensor | None) -> Any:
        """Gradients of what `forward` takes."""
        x_rows, h, w_ih, w_hh = ctx.saved_tensors
        da = torch.empty_like(h[1:])  # of what the activation is applied to
        dh = torch.zeros_like(h[0])
        if d_last is not None:
            dh.copy_(d_last)
        states, das = h[1:].unbind(0), da.unbind(0)
        for t in reversed(range(len(das))):
            if d_outputs is not None:
                dh.add_(d_outputs[t])
            if ctx.is_relu:
                _relu_backward(dh, states[t], 0, grad_input=das[t])
            else:
                _tanh_backward(dh, states[t], grad_input=das[t])
            torch.mm(das[t], w_hh, out=dh)
        da_rows, h_rows = da.flatten(0, 1), h[:-1].flatten(0, 1)
        dx = None
        if ctx.needs_input_grad[0]:
            dx = (da_rows @ w_ih).view(*da.shape[:2], -1)
        db = da_rows.sum(0)
        return dx, da_rows.t() @ x_rows, da_rows.t() @ h_rows, db, db, None


_scan: Any = RNNScan.apply  # untyped in torch


class ScanRNN(nn.RNN):
    """`nn.RNN` whose training on a CPU goes through `RNNScan`."""

    def forward(self, input: Any, hx: Tensor | None = None) -> Any:
        """As `nn.RNN.forward`."""
        if is_scannable(self, input, hx):
            is_relu = self.nonlinearity == "relu"
            return scan_layers(self, input, lambda *tensors: _scan(*tensors, is_relu))
        return super().forward(input, hx)


def build(shape: Shape, model: RNN) -> nn.Module:
    """`nn.RNN` with tanh or ReLU."""
    return ScanRNN(shape.input_size, nonlinearity=model.nonlinearity, **torch_options(model))
