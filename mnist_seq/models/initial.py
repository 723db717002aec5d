"""Sets initial weights and biases that differ from torch's."""

import math
from typing import TypeVar

import torch
from torch import Tensor, nn

from mnist_seq.config.schema import Model, WithBias, WithInit

Net = TypeVar("Net", bound=nn.Module)


def orthogonal_blocks_(weight_hh: Tensor) -> None:
    """Make each H x H block of `weight_hh` [blocks * H, H] orthogonal.

    Not `nn.init.orthogonal_` of the whole stack: that leaves the single blocks not orthogonal.

    Source: Saxe et al. 2014, arXiv:1312.6120.
    """
    for block in torch.split(weight_hh.detach(), weight_hh.shape[1]):
        nn.init.orthogonal_(block)


def identity_blocks_(weight_hh: Tensor) -> None:
    """Make each H x H block of `weight_hh` [blocks * H, H] the identity.

    Source: Cooijmans et al. 2017, arXiv:1603.09025, for the LSTM; Le et al. 2015 for the RNN.
    """
    for block in torch.split(weight_hh.detach(), weight_hh.shape[1]):
        nn.init.eye_(block)


def input_weights_(weight_ih: Tensor, init: str) -> None:
    """Draw input weights [blocks * H, D] anew, from a uniform distribution of zero mean.

    Args:
        init: "glorot", by inputs and outputs of all blocks together, as Keras; "he", by inputs.

    Source: Glorot & Bengio 2010, AISTATS; He et al. 2015, arXiv:1502.01852.
    """
    if init == "glorot":
        nn.init.xavier_uniform_(weight_ih)
    elif init == "he":
        nn.init.kaiming_uniform_(weight_ih, nonlinearity="relu")


def recurrent_weights_(weight_hh: Tensor, init: str) -> None:
    """Set each H x H block of recurrent weights: "default" (as it is), "orthogonal", "identity"."""
    if init == "orthogonal":
        orthogonal_blocks_(weight_hh)
    elif init == "identity":
        identity_blocks_(weight_hh)


def initialise_(layers: nn.Module, init: WithInit) -> None:
    """Overwrite the weights of recurrent layers that `init`, `input_init` and `bias_init` name."""
    for name, weight in layers.named_parameters():
        kind = name.rpartition(".")[2]
        if kind.startswith("weight_ih"):
            input_weights_(weight, init.input_init)
        elif kind.startswith("weight_hh"):
            recurrent_weights_(weight, init.init)
        elif kind.startswith("bias_") and init.bias_init == "zeros":
            nn.init.zeros_(weight)


def with_biases(layers: Net, model: Model) -> Net:
    """The layers; with `model.bias=one` each gate has one bias, as in Keras.

    Those of recurrent products are then buffers of 0, so state dicts have the names of torch.
    """
    if not isinstance(model, WithBias) or model.bias == "two":
        return layers
    for module in layers.modules():
        for name, bias in list(module.named_parameters(recurse=False)):
            if name.startswith("bias_hh"):
                delattr(module, name)
                module.register_buffer(name, None)
                setattr(module, name, torch.zeros_like(bias))  # torch's modules list it elsewhere
    return layers


def chrono_(bias: Tensor, time_steps: int) -> None:
    """Draw the bias [H] of a forget gate as log U[1, T - 1], for memories of up to T time steps.

    Source: Tallec & Ollivier 2018, arXiv:1804.11188.
    """
    with torch.no_grad():
        bias.uniform_(1.0, max(1.0, time_steps - 1.0)).log_()


@torch.no_grad()
def step_size_(bias: Tensor) -> None:
    """Make softplus(bias) a step size of log U[0.001, 0.1].

    Source: github.com/state-spaces/mamba.
    """
    dt = bias.uniform_(math.log(1e-3), math.log(0.1)).exp()
    bias.copy_(dt + torch.log(-torch.expm1(-dt)))


@torch.no_grad()
def fan_in_(*weights: Tensor) -> None:
    """Draw matrices [out, in] from U[-1/sqrt(in), 1/sqrt(in)], as `nn.Linear` does."""
    for weight in weights:
        weight.uniform_(-(weight.shape[1] ** -0.5), weight.shape[1] ** -0.5)
