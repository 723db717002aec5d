"""Modern cells against their papers' equations, written out once more, a unit at a time."""

import cmath
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from mnist_seq.config.reference import default_model
from mnist_seq.models import Shape, build_classifier
from mnist_seq.models.cells import Cell
from mnist_seq.models.kernels.chunks import delta_scan, mlstm_scan
from mnist_seq.notebook import compose
from mnist_seq.training.preflight.count import num_params
from mnist_seq.training.preflight.match import with_hidden_solved
from tests.models.variants import built, sequence

SHAPE = Shape(4, 4)  # as wide as the cells: then no linear layer comes first


def cell_of(name: str, **changes: Any) -> Any:
    (cell,) = built(name, hidden=4, shape=SHAPE, **changes).cells  # type: ignore[union-attr, misc]
    return cell.requires_grad_(requires_grad=False)


def close(found: Tensor, expected: list[list[float]]) -> None:
    torch.testing.assert_close(found, torch.tensor(expected, dtype=found.dtype))


def sigmoid(v: float) -> float:
    return 1 / (1 + math.exp(-v))


@pytest.mark.parametrize("states", ["hidden", 3])
def test_lru_is_that_of_its_paper(states: Any) -> None:
    """In Python's complex numbers; equation 2 of the paper, with gamma."""
    cell = cell_of("lru", states=states)
    x = sequence(SHAPE, batch=1)
    b, c = (torch.complex(*part).tolist() for part in (cell.B.chunk(2), cell.C.chunk(2, dim=-1)))
    lam = [cmath.exp(complex(-math.exp(nu), math.exp(theta)))
           for nu, theta in zip(cell.nu, cell.theta, strict=True)]  # fmt: skip
    h, expected = [0j] * len(lam), []
    for x_t in x[:, 0].tolist():
        h = [a * old + math.exp(gamma) * sum(w * v for w, v in zip(row, x_t, strict=True))
             for a, old, gamma, row in zip(lam, h, cell.gamma, b, strict=True)]  # fmt: skip
        expected.append([sum(w * s for w, s in zip(row, h, strict=True)).real + float(d) * v
                         for row, d, v in zip(c, cell.D, x_t, strict=True)])  # fmt: skip
    close(cell(x)[0][:, 0], expected)


def test_the_ring_of_the_lru() -> None:
    """Moduli between r_min and r_max; gamma makes a white input's state of variance one."""
    cell = cell_of("lru", states=500, r_min=0.5, r_max=0.9)
    modulus = cell._eigenvalues().abs()
    assert 0.5 <= float(modulus.min()) < 0.6 < 0.8 < float(modulus.max()) <= 0.9
    torch.testing.assert_close(cell.gamma.exp().square(), 1 - modulus.square(), rtol=1e-6, atol=0)
    (group,) = cell.parameter_groups()
    assert (group.lr_factor, group.is_decayed, *group.weights) == (
        0.5, False, "nu", "theta", "gamma", "B",
    )  # fmt: skip


@pytest.mark.parametrize("changes", [{}, {"input_gate": False}, {"normalise": False}])
def test_rglru_is_that_of_its_paper(changes: dict[str, bool]) -> None:
    """Equations 1 to 4, two heads; at the first time step of a sequence the root is 1."""
    cell = cell_of("rglru", heads=2, **changes)
    cell.bias.normal_()
    x = sequence(SHAPE, batch=1)

    def gate(k: int, unit: int, x_t: list[float]) -> float:
        head, j = divmod(unit, 2)
        weights = cell.weight[k, head, :, j].tolist()
        a = sum(w * v for w, v in zip(weights, x_t[2 * head : 2 * head + 2], strict=True))
        return sigmoid(a + float(cell.bias[k, unit]))

    h, expected = [0.0] * 4, []
    for t, x_t in enumerate(x[:, 0].tolist()):
        for unit in range(4):
            decay = sigmoid(-float(cell.L[unit])) ** (8 * gate(0, unit, x_t))  # s(-L) = e^-softplus
            i = gate(1, unit, x_t) if "input_gate" not in changes else 1.0
            root = math.sqrt(1 - decay**2) if t and "normalise" not in changes else 1.0
            h[unit] = decay * h[unit] + root * i * x_t[unit]
        expected.append(list(h))
    close(cell(x)[0][:, 0], expected)


def test_rglru_knows_a_state_that_is_handed_on() -> None:
    """Truncated back-propagation starts in the middle of a sequence, where the root is not 1."""
    cell, x = cell_of("rglru", heads=2), sequence(SHAPE)
    first, state = cell(x[:1])
    rest, _ = cell(x[1:], state)
    torch.testing.assert_close(torch.cat((first, rest)), cell(x)[0], rtol=0, atol=1e-12)


def test_the_radius_of_rglru() -> None:
    """At r = 1 the decay is radius^8; the radius is from 0.9 to 0.999."""
    cell = built("rglru", hidden=400).cells[0]  # type: ignore[union-attr, index]
    radius = torch.exp(-torch.nn.functional.softplus(cell.L.detach()))
    assert 0.9 <= float(radius.min()) < 0.92 < 0.98 < float(radius.max()) <= 0.9991
    (group,) = cell.parameter_groups()
    assert (group.is_decayed, group.weights) == (False, ("L",))


def test_heads_divide_the_units() -> None:
    """Refused where they do not; a solved size is a multiple."""
    problem = default_model("rglru", hidden=30).problem()
    assert problem.endswith("model.hidden=30 model.heads=4; choose model.hidden=32")
    assert "model.r_min must be below" in default_model("lru", r_min=0.9, r_max=0.5).problem()
    solved = with_hidden_solved(compose("model=rglru", "model.heads=8", "model.match=lstm-64"))
    assert solved.model.hidden % 8 == 0
    assert num_params(solved) == pytest.approx(24_714, rel=0.01)


def test_slstm_has_the_numbers_of_the_authors_code() -> None:
    """One unit, x as (i, f, z, o); computed with their code in float64."""
    cell = built("slstm", hidden=1, heads=1, head_norm=False).cells[0].requires_grad_(False)  # type: ignore[union-attr, index]
    cell.weight_hh.copy_(torch.tensor([0.1, 0.2, 0.3, 0.4]).view(1, 1, 4))
    x = torch.tensor(
        [[0.5, 1, -1, 0.3], [2, 0, 0.4, -0.2], [-1, 3, 0.1, 1]], dtype=torch.float64
    ).unsqueeze(1)
    h, _ = cell.scan(x, cell.initial(x))
    expected = [-0.43749206373628, 0.06507969530180, 0.11619910268820]
    torch.testing.assert_close(
        h.flatten(), torch.tensor(expected, dtype=h.dtype), rtol=0, atol=1e-8
    )


@pytest.mark.parametrize("size", [1, 2, 28])
def test_mlstm_has_the_numbers_of_the_authors_code(size: int) -> None:
    """One head of two keys and values, for chunks that divide the three time steps and others."""
    q, k, v, i, f = (
        torch.tensor(each, dtype=torch.float64).view(3, 1, 1, *shape)
        for each, shape in (
            ([[1, 0], [0, 1], [1, 1]], [2]), ([[1, 0], [0.6, 0.8], [0, 1]], [2]),
            ([[1, 2], [3, 4], [-1, 1]], [2]), ([0, 2, -1], []), ([1, 0, 3], []),
        )
    )  # fmt: skip
    state = (q.new_zeros(1, 1, 2, 2), q.new_zeros(1, 1, 2), q.new_zeros(1, 1))
    h, _ = mlstm_scan(q, k, v, i, f, state, size=size)
    close(h.flatten(0, -2), [[1, 2], [3, 4], [2.773412077575645, 3.807798991112082]])


def test_mlstm_has_finite_gradients_where_its_gates_are_shut() -> None:
    """In float32, where exp(-m) would be infinite."""
    q, k, v = (torch.ones(2, 1, 1, 2) for _ in range(3))
    i, f = (torch.full((2, 1, 1), value, requires_grad=True) for value in (-95.0, -100.0))
    state = torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2), torch.zeros(1, 1)
    h, _ = mlstm_scan(q, k, v, i, f, state)
    assert all(d.isfinite().all() for d in torch.autograd.grad(h.sum(), (i, f)))


def test_chunks_hand_on_the_state() -> None:
    """Outputs, final state and gradients are those of the step, from a given state, in chunks of 2
    that do not divide the 5 time steps."""
    (cell,) = built("mlstm", hidden=4, heads=2, head_norm=False).cells  # type: ignore[union-attr, misc]
    with torch.no_grad():
        cell.weight_gates.normal_()
    x = cell.project(sequence()).detach().requires_grad_()
    _, state = Cell.scan(cell, x.detach().flip(0), cell.initial(x))
    state = tuple(each.detach().requires_grad_() for each in state)
    results = []
    for size in (0, 2):
        q, k, v, g, i, f = cell._parts(x)
        if size:
            h, new = mlstm_scan(q, k, v, i, f, state, size=size)  # type: ignore[arg-type]
            outputs = cell._read(h, g)
        else:
            outputs, new = Cell.scan(cell, x, state)
        loss = outputs.sin().sum() + sum(each.square().sum() for each in new)
        results.append([outputs, *new, *torch.autograd.grad(loss, (x, *state[:2]))])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)


@pytest.mark.parametrize("size", [1, 2, 28])
@pytest.mark.parametrize(
    ("decay", "expected"),
    [
        ([0.5, 0.8, 0.9], [[1, 2], [1.008, 1.216], [1.8308, 3.3316]]),
        ([1, 1, 1], [[1, 2], [0.96, 1.12], [2.19, 3.93]]),
    ],
)
def test_the_delta_rule_has_known_numbers(
    decay: list[float], expected: list[list[float]], size: int
) -> None:
    """One head of two keys and values, worked out by hand."""
    q, k, v, log_a, beta = (
        torch.tensor(each, dtype=torch.float64).view(3, 1, 1, *shape)
        for each, shape in (
            ([[1, 0], [0, 1], [1, 1]], [2]), ([[1, 0], [0.6, 0.8], [0, 1]], [2]),
            ([[1, 2], [3, 4], [-1, 1]], [2]), ([math.log(a) for a in decay], []),
            ([1, 0.5, 0.25], []),
        )
    )  # fmt: skip
    o, _ = delta_scan(q, k, v, log_a, beta, q.new_zeros(1, 1, 2, 2), size=size)
    close(o.flatten(0, -2), expected)


def test_published_sizes() -> None:
    """4 N D + 3 N + D of an LRU, 2 H^2 / heads + 3 H of an RG-LRU, 4 H (D + H / heads + 1) of an
    sLSTM and H of its norm, 5 H^2 + 2 heads (3 H + 1) + H of an mLSTM; Gated DeltaNet's matrices,
    convolution of 4, two values a head, and norm."""
    for name, count in (
        ("lru", 4 * 64 * 64 + 3 * 64 + 64),
        ("rglru", 2 * 64**2 // 4 + 3 * 64),
        ("slstm", 4 * 64 * (64 + 16 + 1) + 64),
        ("gated_delta", 5 * 64**2 + 2 * 64 * 4 + 4 * 3 * 64 + 2 * 4 + 16),
        ("mlstm", 5 * 64**2 + 8 * (3 * 64 + 1) + 64),
    ):
        net = build_classifier(
            default_model(name), shape=Shape(5, 64), num_outputs=1, rnn_seed=0, head_seed=0
        )
        assert sum(w.numel() for w in net.rnn.parameters()) == count


@pytest.mark.parametrize("name", ["gated_delta", "hgrn", "mamba", "mlstm", "ssd"])
def test_parts_of_a_sequence_are_the_sequence(name: str) -> None:
    """These cells run 112 time steps at a time, and hand their whole state on."""
    cell = built(name).cells[0]  # type: ignore[union-attr, index]
    assert cell.steps_at_once > 0
    x = sequence().requires_grad_()
    results = []
    for size in (0, 2):
        cell.steps_at_once = size
        outputs, state = cell(x)
        loss = outputs.sin().sum() + sum(each.square().sum() for each in state)
        results.append([outputs, *state, *torch.autograd.grad(loss, [x, *cell.parameters()])])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)
