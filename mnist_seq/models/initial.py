"""Sets initial weights and biases that differ from torch's."""

import torch
from torch import Tensor, nn


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


def chrono_(bias: Tensor, time_steps: int) -> None:
    """Draw the bias [H] of a forget gate as log U[1, T - 1], for memories of up to T time steps.

    Source: Tallec & Ollivier 2018, arXiv:1804.11188.
    """
    with torch.no_grad():
        bias.uniform_(1.0, max(1.0, time_steps - 1.0)).log_()
