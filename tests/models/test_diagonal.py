"""Scans of recurrences that are linear and diagonal in their state."""

import pytest
import torch
from torch import Tensor

from mnist_seq.models.kernels import scan
from mnist_seq.models.kernels.diagonal import diagonal_scan
from mnist_seq.models.kernels.lerp import lerp_scan
from tests.models.variants import built, sequence

U = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64).view(3, 1, 1)


def test_known_numbers() -> None:
    """By hand: h = a h' + u, real from a state of 2, and with an imaginary a."""
    a = torch.tensor([0.5, 0.9, 0.1], dtype=torch.float64).view(3, 1, 1)
    h = diagonal_scan(a, U, torch.full((1, 1), 2.0, dtype=torch.float64))
    torch.testing.assert_close(h.flatten(), torch.tensor([2.0, -0.2, 2.98], dtype=torch.float64))
    zero = torch.zeros(1, 1, dtype=torch.complex128)
    h = diagonal_scan(torch.tensor(0.5j, dtype=torch.complex128), U + 0j, zero)
    torch.testing.assert_close(h.flatten(), torch.tensor([1, -2 + 0.5j, 2.75 - 1j]).to(h.dtype))


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_gradients_of_the_diagonal_scan(dtype: torch.dtype) -> None:
    """By finite differences, a real or complex, the state before included."""
    generator = torch.Generator().manual_seed(0)
    a, u, h_0 = (
        torch.randn(*shape, dtype=dtype, generator=generator, requires_grad=True)
        for shape in ((3, 2, 2), (3, 2, 2), (2, 2))
    )
    assert torch.autograd.gradcheck(diagonal_scan, (a, u, h_0))


@pytest.mark.parametrize("is_positive", [False, True])
@pytest.mark.parametrize("num_gates", [1, 2])
@pytest.mark.parametrize("shape", [(5, 3, 4), (7, 2, 11), (1, 2, 3)])
def test_the_lerp_scan_is_the_loop(
    shape: tuple[int, ...], num_gates: int, is_positive: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In parts of 3 time steps; all gradients, also where only the last state is read."""
    time_steps, batch, hidden = shape
    monkeypatch.setattr(scan, "CHUNK_BYTES", 3 * 8 * batch * hidden)
    generator = torch.Generator().manual_seed(0)
    x, weight, bias, h_0 = (
        torch.randn(*of, generator=generator, dtype=torch.float64, requires_grad=True)
        for of in (
            (time_steps, batch, 2),
            ((num_gates + 1) * hidden, 2),
            ((num_gates + 1) * hidden,),
            (batch, hidden),
        )
    )

    def loop() -> tuple[Tensor, Tensor]:
        *gates, n = torch.nn.functional.linear(x, weight, bias).chunk(num_gates + 1, dim=-1)
        z = torch.sigmoid(gates[-1])
        z = z if num_gates == 1 else z / (torch.sigmoid(gates[0]) + z)
        n = torch.where(n >= 0, n + 0.5, torch.sigmoid(n)) if is_positive else n
        outputs, h = [], h_0
        for n_t, z_t in zip(n.unbind(0), z.unbind(0), strict=True):
            h = torch.lerp(h, n_t, z_t)
            outputs.append(h)
        return torch.stack(outputs), h

    results = []
    for run in (loop, lambda: lerp_scan(x, weight, bias, h_0, is_positive=is_positive)):
        outputs, last = run()
        both, end = outputs.square().sum() + last.sin().sum(), last.square().sum()
        of = (x, weight, bias, h_0)
        results.append([outputs, last, *torch.autograd.grad(both, of, retain_graph=True)])
        results[-1] += torch.autograd.grad(end, of)
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ["mingru", "minlstm"])
def test_a_positive_candidate_is_the_papers_log_space_form(name: str) -> None:
    """Appendix B: h = exp(cumsum(log(1 - z)) + logcumsumexp(...)), from a state of zeros."""
    layers = built(name, candidate="positive")
    cell, x = layers.cells[0], sequence()  # type: ignore[union-attr, index]
    *gates, n = cell.project(x).chunk(3 if name == "minlstm" else 2, dim=-1)
    log_g = torch.where(n >= 0, (n.relu() + 0.5).log(), -torch.nn.functional.softplus(-n))
    softplus = torch.nn.functional.softplus
    if name == "mingru":
        log_keep, log_write = -softplus(gates[0]), -softplus(-gates[0])
    else:  # log f / (f + i), log i / (f + i)
        gap = softplus(-gates[0]) - softplus(-gates[1])
        log_keep, log_write = -softplus(gap), -softplus(-gap)
    total = log_keep.cumsum(0)
    expected = (total + (log_write + log_g - total).logcumsumexp(0)).exp()
    torch.testing.assert_close(layers(x)[0], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["mingru", "minlstm"])
def test_a_forget_bias_is_remembered(name: str) -> None:
    """A bias of 9: the first state stays for longer than the sequence."""
    cell = built(name, forget_bias=9).cells[0]  # type: ignore[union-attr, index]
    given = (torch.ones(3, 3, dtype=torch.float64),)
    assert (cell(0 * sequence(), given)[0] > 0.99).all()
