"""Recurrent layers whose back-propagation through time is written by hand, for training on a CPU.

There, torch's own GRU and RNN put every operation of every time step on autograd's graph. Here a
cell brings its whole sequence as one `torch.autograd.Function`, its scan. The weights, their names
and their initialisation stay those of `torch.nn`; where a scan does not apply, torch's own forward
pass does.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

# (x, w_ih, w_hh, b_ih, b_hh) -> outputs [T, B, H], final state [B, H]
Scan = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def is_scannable(rnn: nn.RNNBase, x: object, hx: Tensor | None) -> bool:
    """Whether `scan_layers` may stand in for torch's forward pass, and is faster."""
    return (
        isinstance(x, Tensor)
        and torch.is_grad_enabled()
        and x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.float64)
        and x.dtype == rnn.weight_hh_l0.dtype
        and x.dim() == 3
        and x.numel() > 0
        and hx is None
        and rnn.bias
        and not rnn.batch_first
        and not torch.is_autocast_enabled("cpu")
    )


def scan_layers(
    rnn: nn.RNNBase, x: Float[Tensor, "T B D"], scan: Scan
) -> tuple[Float[Tensor, "T B directions_H"], Float[Tensor, "layers_directions B H"]]:
    """All layers and directions of `rnn`, each by one call of `scan`."""
    num_directions = 2 if rnn.bidirectional else 1
    states = []
    for layer in range(rnn.num_layers):
        if layer and rnn.dropout:
            x = F.dropout(x, rnn.dropout, rnn.training)
        forward, *backward = rnn.all_weights[layer * num_directions :][:num_directions]
        outputs, state = scan(x, *forward)
        states.append(state)
        for weights in backward:
            reverse, state = scan(x.flip(0), *weights)
            outputs = torch.cat((outputs, reverse.flip(0)), dim=-1)
            states.append(state)
        x = outputs
    return x, torch.stack(states)
