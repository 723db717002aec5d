"""State space models against numbers of their authors' code, and against their papers' sizes."""

import cmath
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mnist_seq.config.reference import default_model
from mnist_seq.models import Shape, build_classifier
from mnist_seq.models.cells import Cell
from mnist_seq.models.cells.lru import _hippo
from mnist_seq.models.kernels.chunks import decayed_scan
from mnist_seq.models.kernels.convolution import LONGEST_PRODUCT
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


def test_s5_starts_from_hippo() -> None:
    """Its eigenvalues and their conjugates are those of LegS's matrix and what makes it normal:
    -sqrt((2 i + 1) (2 j + 1)) / 2 above the diagonal, the negative of it below, -1/2 on it."""
    a, vectors = _hippo(6)
    found = 2 * ((vectors * a) @ vectors.mH).real
    root = torch.sqrt(2 * torch.arange(6, dtype=torch.float64) + 1)
    whole = root.unsqueeze(-1) * root / 2
    torch.testing.assert_close(found, whole.triu(1) - whole.tril(-1) - 0.5 * torch.eye(6).double())
    cell = cell_of("lru", hidden=8, form="s5", blocks=2)
    assert (cell.im < 0).all()
    torch.testing.assert_close(cell.im[:4], cell.im[4:])
    assert cell.parameter_groups()[0].weights == ("re", "im", "log_dt", "B")


def test_s5_is_that_of_its_paper() -> None:
    """Zero-order hold of each state and twice the real part, in Python's complex numbers."""
    cell = cell_of("lru", hidden=2, form="s5")
    x = sequence(batch=1)
    b, c = (torch.complex(*part).tolist() for part in (cell.B.chunk(2), cell.C.chunk(2, dim=-1)))
    rates = [complex(*each) for each in zip(cell.re.tolist(), cell.im.tolist(), strict=True)]
    h, expected = [0j] * 2, []
    for x_t in x[:, 0].tolist():
        for n, a in enumerate(rates):
            lam = cmath.exp(a * math.exp(cell.log_dt[n]))
            h[n] = lam * h[n] + (lam - 1) / a * sum(w * v for w, v in zip(b[n], x_t, strict=True))
        expected.append([2 * sum(w * s for w, s in zip(row, h, strict=True)).real + float(d) * v
                         for row, d, v in zip(c, cell.D, x_t, strict=True)])  # fmt: skip
    torch.testing.assert_close(cell(x)[0][:, 0], numbers(expected, 5, 2))


def test_what_s5_does_not_have_is_refused() -> None:
    """The ring is the LRU's, the blocks are HiPPO's."""
    for changes, words in (
        ({"form": "s5", "r_min": 0.5}, "draws from no ring: model.r_min=0.5; choose"),
        ({"blocks": 2}, "model.form=lru model.blocks=2; choose model.blocks=1"),
        ({"form": "s5", "blocks": 3}, "64 states, model.blocks=3; choose model.blocks=1"),
    ):
        assert words in default_model("lru", **changes).problem()


def test_s4d_is_the_convolution_of_its_paper() -> None:
    """y = K * x + D x, K_t = 2 Re sum C (exp(dt a) - 1) / a exp(dt a t), in Python's numbers."""
    cell = cell_of("s4d", hidden=2, states=4)
    x = sequence(batch=1)
    expected = [[float(d * v) for d, v in zip(cell.D, x_t, strict=True)] for x_t in x[:, 0]]
    for channel in range(2):
        dt = math.exp(cell.log_dt[channel])
        for log_re, im, c in zip(cell.log_re[channel], cell.im[channel], cell.C[channel],
                                 strict=True):  # fmt: skip
            a = complex(-math.exp(log_re), im)
            weight = complex(*c.tolist()) * (cmath.exp(dt * a) - 1) / a
            for t in range(5):
                for s in range(t + 1):
                    power = cmath.exp(dt * a * (t - s))
                    expected[t][channel] += 2 * (weight * power).real * float(x[s, 0, channel])
    torch.testing.assert_close(cell(x)[0][:, 0], numbers(expected, 5, 2))


def test_a_long_convolution_equals_the_step() -> None:
    """By FFT where T is large, from a given state."""
    shape = Shape(LONGEST_PRODUCT + 6, 2)
    cell, x = cell_of("s4d", hidden=2, states=4, shape=shape), sequence(shape)
    _, state = cell(x)
    for found, expected in zip(cell(x, state), Cell.scan(cell, x, state), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


def test_lem_has_the_numbers_of_the_authors_code() -> None:
    """All weights 0.5, all biases 0.1; computed with their code in float64."""
    cell = cell_of("lem", hidden=1, dt=0.21, shape=Shape(3, 1))
    for weight in (cell.weight_ih, cell.weight_hh):
        weight.fill_(0.5)
    for bias in (cell.bias_ih, cell.bias_hh):
        bias.fill_(0.1)
    y = cell(numbers([1, -1, 0.5], 3, 1, 1))[0].flatten()
    expected = [0.0884846430893, 0.0559636895152, 0.1088522178873]
    torch.testing.assert_close(y, numbers(expected, 3), rtol=0, atol=1e-12)


def test_lmu_has_the_numbers_of_the_authors_code() -> None:
    """Order 2, theta 4, all weights 0.5; the memory as SciPy holds its input constant."""
    cell = cell_of("lmu", hidden=1, order=2, theta=4, shape=Shape(3, 1))
    a = [[0.7175090648, -0.1484933363], [0.4454800088, 0.4205223924]]
    torch.testing.assert_close(cell.A, numbers(a, 2, 2), rtol=0, atol=1e-7)
    torch.testing.assert_close(cell.B, numbers([0.2824909352, -0.44548], 2), rtol=0, atol=1e-7)
    for weight in cell.parameters():
        weight.fill_(0.5)
    h = cell(numbers([1, -1, 0.5], 3, 1, 1))[0].flatten()
    expected = [0.4294749713698, -0.2039560930388, 0.1681411480726]
    torch.testing.assert_close(h, numbers(expected, 3), rtol=0, atol=1e-7)


def test_hgrn_is_that_of_its_paper() -> None:
    """Torch's own norm and activations, a time step at a time, with a lower bound."""
    cell = cell_of("hgrn", hidden=3, lower_bound=0.4, forget_bias=1)
    x = sequence()
    norm, h, expected = nn.RMSNorm(3, 1e-5).double(), torch.zeros(3, 3).double(), []
    for x_t in x:
        i, f, g = (x_t @ weight.T for weight in cell.weight_ih.chunk(3))
        f = 0.4 + 0.6 * torch.sigmoid(f + 1)
        h = f * h + (1 - f) * i * torch.sigmoid(i)
        expected.append((norm(h) * g * torch.sigmoid(g)) @ cell.weight_out.T)
    torch.testing.assert_close(cell(x)[0], torch.stack(expected))


SIZES = {
    "mamba": 3 * 64 * 128 + 5 * 128 + 128 * (4 + 32) + 5 * 128 + 128 * 16 + 128,
    "s4d": 2 * 64 * (64 + 1),
    "hgrn": 2 * 64 * 64 + 2 * 64 * 64 + 2 * 64,
    "lem": 4 * 64 * (64 + 64 + 2),
    "lmu": 64 * (64 + 64 + 32) + 64 + 64 + 32,
    "ssd": 64 * (256 + 32 + 4) + (128 + 32) * 5 + 3 * 4 + 128 + 128 * 64,
}


@pytest.mark.parametrize("name", SIZES)
def test_published_sizes(name: str) -> None:
    """As the papers count: Mamba 3 D E + 5 E + E (rank + 2 N) + (rank + 1) E + E N + E; Mamba-2
    D (2 E + 2 N + heads) + (E + 2 N) 5 + 3 heads + E + E D; S4D 2 H (N + 1); HGRN 2 H D, its output
    gate and matrix, the norm and our bias; LEM 4 H (D + H + 2); LMU H (D + H + order) + D + H +
    order."""
    net = build_classifier(
        default_model(name), shape=Shape(5, 64), num_outputs=1, rnn_seed=0, head_seed=0
    )
    assert sum(w.numel() for w in net.rnn.parameters()) == SIZES[name]
