"""Layers without recurrence against torch's own modules."""

from typing import Any

import pytest
import torch
from torch import nn

from mnist_seq.config import ConfigError
from mnist_seq.models import Shape
from mnist_seq.models.cells.transformer import _rotated
from mnist_seq.training.preflight.check import check_run
from tests.conftest import config_of
from tests.models.variants import built, sequence


def layer_of(name: str, **changes: Any) -> Any:
    (layer,) = built(name, **changes).cells  # type: ignore[union-attr, misc]
    return layer.requires_grad_(requires_grad=False)


def test_attention_is_torchs() -> None:
    """`nn.MultiheadAttention` with a causal mask, without positions."""
    layer = layer_of("transformer", hidden=4, heads=2, positions="none", shape=Shape(5, 4))
    for bias in (layer.bias_ih, layer.bias_out):
        bias.normal_()
    torchs = nn.MultiheadAttention(4, 2).double().eval().requires_grad_(requires_grad=False)
    weights = (layer.weight_ih, layer.bias_ih, layer.weight_out, layer.bias_out)
    torchs.load_state_dict(dict(zip(torchs.state_dict(), weights, strict=True)))
    # it keeps the order of q, k and v, each with all heads
    x, mask = sequence(Shape(5, 4)), torch.ones(5, 5, dtype=torch.bool).triu(1)
    expected, _ = torchs(x, x, x, attn_mask=mask)
    torch.testing.assert_close(layer(x)[0], expected, rtol=0, atol=1e-12)


def test_rotated_products_depend_on_the_distance_alone() -> None:
    """As pairs of values that are complex numbers times exp(i t rate), rates 1 and 1/100."""
    q, k = sequence(Shape(2, 4), batch=1)[:, 0]
    both = _rotated(torch.stack((q, k))[:, None, None].expand(2, 1, 6, 4))
    products = both[0, 0] @ both[1, 0].mT
    torch.testing.assert_close(products[1:, 1:], products[:-1, :-1])
    of_pairs = torch.complex(q[:2], q[2:]) * torch.complex(k[:2], -k[2:])
    angles = 3 * torch.tensor([1, 0.01], dtype=torch.float64)
    expected = (of_pairs * torch.polar(torch.ones_like(angles), angles)).sum().real
    torch.testing.assert_close(products[4, 1], expected, rtol=1e-6, atol=0)
    assert not torch.allclose(products[4, 1], products[4, 4])


def test_tcn_is_made_of_torchs_convolutions() -> None:
    """`nn.Conv1d` under weight norm, padded on the left, in residual blocks."""
    layer = layer_of("tcn", hidden=4, levels=2, kernel=3)
    x = sequence(Shape(9, 2))
    expected, skip = (each.permute(1, 2, 0) for each in (x, x @ layer.weight_skip.T))
    skip = skip + layer.bias_skip.unsqueeze(-1)
    for k, weight in enumerate(layer.weights):
        conv = nn.Conv1d(weight.shape[1], 4, 3, dilation=1 + k // 2, padding=2 * (1 + k // 2))
        conv = nn.utils.parametrizations.weight_norm(conv.double())
        given = (layer.biases[k], layer.gains[k].view(4, 1, 1) * (k + 1), weight)
        layer.gains[k].mul_(k + 1)  # a filter's length is not its weight's
        conv.load_state_dict(dict(zip(conv.state_dict(), given, strict=True)))
        expected = conv(expected)[..., :9].relu()
        if k % 2:
            expected = skip = (expected + skip).relu()
    torch.testing.assert_close(layer(x)[0], expected.permute(2, 0, 1), rtol=0, atol=1e-12)


def test_what_a_tcn_sees() -> None:
    """1 + 2 (kernel - 1) (2^levels - 1) time steps, and no more."""
    layer = layer_of("tcn", hidden=4, levels=2, kernel=2, shape=Shape(12, 2))
    for weight in layer.parameters():
        weight.abs_()  # no unit is off
    x = sequence(Shape(12, 2)).abs().requires_grad_()
    (gradient,) = torch.autograd.grad(layer(x)[0][-1].sum(), x)
    assert (gradient.abs().sum((1, 2)) > 0).tolist() == [False] * 5 + [True] * 7


@pytest.mark.parametrize("word", ["training.tbptt=7", "+diagnostics=gradients"])
def test_what_needs_a_state_is_refused(word: str) -> None:
    """In one line, before anything is written; a recurrent cell has one."""
    key = word.replace("+", "training.")
    with pytest.raises(ConfigError, match=rf"{key} model=tcn.*choose {key.partition('=')[0]}=none"):
        check_run(config_of("model=tcn", word))
    check_run(config_of("model=mamba", word))
    check_run(config_of("model=tcn", "+diagnostics=norms"))
