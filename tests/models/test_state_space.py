"""State space models against numbers of their authors' code, and against their papers' sizes."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from mnist_seq.config.reference import default_model
from mnist_seq.models import Shape, build_classifier
from mnist_seq.models.kernels.chunks import decayed_scan
from mnist_seq.models.kernels.selective import selective_scan
from tests.models.variants import built, sequence


def numbers(values: Any, *shape: int) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).view(*shape)


def cell_of(name: str, **changes: Any) -> Any:
    (cell,) = built(name, **changes).cells  # type: ignore[union-attr, misc]
    return cell.requires_grad_(requires_grad=False)


def test_mamba_has_the_numbers_of_the_authors_code() -> None:
    """One channel of two states, without the skip."""
    y, _ = selective_scan(
        numbers([1, 2], 2, 1, 1), numbers([0.5, 1], 2, 1, 1), numbers([-1, -2], 1, 2),
        numbers([1, 1, 0.5, 2], 2, 1, 2), numbers([1, 1, 1, -1], 2, 1, 2), numbers([0, 0], 1, 1, 2),
    )  # fmt: skip
    torch.testing.assert_close(y.flatten(), numbers([1, -2.883727921032585], 2))


@pytest.mark.parametrize("size", [1, 2, 28])
def test_a_memory_that_decays_has_known_numbers(size: int) -> None:
    """One head of two keys and values, worked out by hand; keys for one head or for both."""
    q, k = numbers([1, 0, 0, 1, 1, 1], 3, 1, 1, 2), numbers([1, 0, 0.6, 0.8, 0, 1], 3, 1, 1, 2)
    v = numbers([1, 2, 3, 4, -1, 1], 3, 1, 1, 2).expand(3, 1, 2, 2)
    log_a = numbers([math.log(a) for a in (0.5, 0.8, 0.9)], 3, 1, 1).expand(3, 1, 2)
    o, _ = decayed_scan(q, k, v, log_a, v.new_zeros(1, 2, 2, 2), size=size)
    expected = numbers([1, 2, 2.4, 3.2, 3.5, 7.48], 3, 1, 1, 2)
    torch.testing.assert_close(o, expected.expand(3, 1, 2, 2))


def test_the_retention_of_retnet() -> None:
    """Heads decay at 1 - 1/32, 1 - 1/64, ...; each has keys of its own."""
    cell = cell_of("ssd", hidden=4, heads=2, decay="fixed")
    _, log_a = cell._rates(torch.zeros(1, 2, dtype=torch.float64))
    torch.testing.assert_close(log_a.exp().flatten(), numbers([1 - 1 / 32, 1 - 1 / 64], 2))
    assert cell.initial(cell.project(sequence()))[0].shape == (3, 2, 16, 4)


def test_first_step_sizes_and_rates() -> None:
    """Steps of 0.001 to 0.1; rates of 1 to N, and of 1 to 16 for the heads of SSD."""
    mamba, ssd = cell_of("mamba", hidden=200), cell_of("ssd", hidden=200, heads=100)
    for bias in (mamba.bias_dt, ssd.dt_bias):
        dt = torch.nn.functional.softplus(bias)
        assert 1e-3 <= float(dt.min()) < 3e-3 < 0.05 < float(dt.max()) <= 0.1
    torch.testing.assert_close(mamba.log_A[7].exp(), torch.arange(1.0, 17, dtype=torch.float64))
    assert 1 <= float(ssd.log_A.exp().min()) < 3 < 14 < float(ssd.log_A.exp().max()) <= 16
    assert [g.weights for c in (mamba, ssd) for g in c.parameter_groups() if not g.is_decayed] == [
        ("log_A", "D"), ("log_A", "dt_bias", "D"),
    ]  # fmt: skip


SIZES = {
    "mamba": 3 * 64 * 128 + 5 * 128 + 128 * (4 + 32) + 5 * 128 + 128 * 16 + 128,
    "ssd": 64 * (256 + 32 + 4) + (128 + 32) * 5 + 3 * 4 + 128 + 128 * 64,
}


@pytest.mark.parametrize("name", SIZES)
def test_published_sizes(name: str) -> None:
    """Mamba: 3 D E + 5 E + E (rank + 2 N) + (rank + 1) E + E N + E; Mamba-2: D (2 E + 2 N + heads)
    + (E + 2 N) 5 + 3 heads + E + E D."""
    net = build_classifier(
        default_model(name), shape=Shape(5, 64), num_outputs=1, rnn_seed=0, head_seed=0
    )
    assert sum(w.numel() for w in net.rnn.parameters()) == SIZES[name]
