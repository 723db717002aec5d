"""Cells against torch.nn, against the package torchrecurrent, and against the papers' equations."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mnist_seq.config.reference import default_model
from mnist_seq.models.cells import Cell
from mnist_seq.models.cells.gru import GRUCell
from mnist_seq.models.cells.lstm import LSTMCell
from mnist_seq.models.recurrence import Recurrence
from tests.models.variants import LSTMS, SCANNED, built, plain_gradients, sequence


def cell_of(name: str, **changes: Any) -> Cell:
    """The one cell of a one-layer recurrence, all its weights drawn at random, gains included."""
    layers = built(name, **changes)
    assert isinstance(layers, Recurrence)
    cell = layers.cells[0]
    assert isinstance(cell, Cell)
    with torch.no_grad():
        for weight in cell.parameters():
            weight.copy_(torch.randn_like(weight) * 0.5)
    return cell


def assert_equal(ours: list[Tensor], theirs: list[Tensor]) -> None:
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)


@pytest.mark.parametrize("is_scanned", [True, False])
def test_the_lstm_recurrence_equals_torchs(
    is_scanned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all options at their defaults the step is `nn.LSTM`'s, forward and gradient."""
    if not is_scanned:
        monkeypatch.setattr("mnist_seq.models.cells.lstm.is_scannable", lambda x, dtype: False)
    theirs = nn.LSTM(2, 3, dtype=torch.float64)
    ours = LSTMCell(2, 3, default_model("lstm")).double()  # type: ignore[arg-type]
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    ours.load_state_dict({name: getattr(theirs, f"{name}_l0") for name in names})
    outputs, last, d_ih, d_hh, d_b, *others = plain_gradients(ours, sequence())
    order = [name for name, _ in ours.named_parameters()]
    assert order == ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]
    expected = plain_gradients(theirs, sequence())
    expected[1] = expected[1][0]
    assert_equal([outputs, last, d_ih, d_hh, d_b, *others], expected)


def test_the_gru_recurrence_equals_torchs() -> None:
    """Reset after the product, both gates: `nn.GRU`."""
    theirs = nn.GRU(2, 3, dtype=torch.float64)
    ours = GRUCell(2, 3, default_model("gru")).double()  # type: ignore[arg-type]
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    ours.load_state_dict({name: getattr(theirs, f"{name}_l0") for name in names})
    order = [name for name, _ in ours.named_parameters()]
    found = dict(zip(order, plain_gradients(ours, sequence())[2:-1], strict=True))
    expected = plain_gradients(theirs, sequence())
    for name, gradient in zip(names, expected[2:-1], strict=True):
        torch.testing.assert_close(found[name], gradient, rtol=0, atol=1e-10)
    outputs, last, *_, dx = plain_gradients(ours, sequence())
    assert_equal([outputs, last, dx], [expected[0], expected[1][0], expected[-1]])


@pytest.mark.parametrize("chunk", [1, 2**19])
@pytest.mark.parametrize("name", SCANNED)
def test_the_scan_equals_autograd_through_the_step(
    name: str, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hand-written backward pass differs in speed alone, chunk by chunk and at once."""
    monkeypatch.setattr("mnist_seq.models.kernels.scan.CHUNK_BYTES", chunk)
    cell = cell_of("lstm", **SCANNED[name])
    fast = plain_gradients(cell, sequence())
    assert "LSTMScan" in cell(sequence())[0].grad_fn.name()
    monkeypatch.setattr("mnist_seq.models.cells.lstm.is_scannable", lambda x, dtype: False)
    assert "LSTMScan" not in cell(sequence())[0].grad_fn.name()
    assert_equal(fast, plain_gradients(cell, sequence()))


TORCHRECURRENT = {
    "mgu": ("MGUCell", {}),
    "mut1": ("MUT1Cell", {}),
    "mut2": ("MUT2Cell", {}),
    "mut3": ("MUT3Cell", {}),
    "janet": ("JANETCell", {}),
    "indrnn": ("IndRNNCell", {"nonlinearity": "relu"}),
    "lstm": ("PeepholeLSTMCell", {}),
}


@pytest.mark.parametrize("name", TORCHRECURRENT)
def test_a_cell_equals_torchrecurrents(name: str) -> None:
    """An implementation by other people, from the same papers; forward and gradient."""
    package = pytest.importorskip("torchrecurrent", reason="pip install torchrecurrent")
    theirs_name, options = TORCHRECURRENT[name]
    theirs = getattr(package, theirs_name)(2, 3, **options).double()
    ours = cell_of(name, **({"peepholes": True} if name == "lstm" else {}))
    copied = {"u": "vector_u", "peepholes": "weight_ph"}
    with torch.no_grad():
        theirs.bias_hh.zero_()
        for key, weight in ours.named_parameters():
            target = getattr(theirs, copied.get(key, key))
            target.copy_(weight.reshape(target.shape))
    x = sequence().requires_grad_()
    state: Any = None
    outputs = []
    for x_t in x.unbind(0):
        if name in ("lstm", "janet"):
            state = theirs(x_t, state if state is not None else (torch.zeros(3, 3).double(),) * 2)
            outputs.append(state[0])
        else:
            state = theirs(x_t, state if state is not None else torch.zeros(3, 3).double())
            outputs.append(state)
    expected = torch.stack(outputs)
    found = ours(x)[0]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    keys = [key for key, _ in ours.named_parameters()]
    ours_d = torch.autograd.grad(found.square().sum(), [*ours.parameters(), x])
    weights = [getattr(theirs, copied.get(key, key)) for key in keys]
    theirs_d = torch.autograd.grad(expected.square().sum(), [*weights, x])
    for a, b in zip(ours_d, theirs_d, strict=True):
        torch.testing.assert_close(a.reshape(b.shape), b, rtol=0, atol=1e-10)


def sigmoid(a: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-a))


def rows(weight: Tensor, count: int) -> list[Tensor]:
    return [weight[3 * k : 3 * (k + 1)] for k in range(count)]


def mingru(c: Any, x: Tensor, h: Tensor) -> Tensor:
    (w_z, w_n), (b_z, b_n) = rows(c.weight_ih, 2), rows(c.bias_ih, 2)
    z = sigmoid(w_z @ x + b_z)
    return (1 - z) * h + z * (w_n @ x + b_n)


def minlstm(c: Any, x: Tensor, h: Tensor) -> Tensor:
    (w_f, w_i, w_n), (b_f, b_i, b_n) = rows(c.weight_ih, 3), rows(c.bias_ih, 3)
    f, i = sigmoid(w_f @ x + b_f), sigmoid(w_i @ x + b_i)
    return f / (f + i) * h + i / (f + i) * (w_n @ x + b_n)


def gru_before(c: Any, x: Tensor, h: Tensor) -> Tensor:
    (w_r, w_z, w_n), (u_r, u_z, u_n) = rows(c.weight_ih, 3), rows(c.weight_hh, 3)
    b_r, b_z, b_n = rows(c.bias_ih + c.bias_hh, 3)
    r, z = sigmoid(w_r @ x + u_r @ h + b_r), sigmoid(w_z @ x + u_z @ h + b_z)
    return (1 - z) * torch.tanh(w_n @ x + u_n @ (r * h) + b_n) + z * h


def gru_no_reset(c: Any, x: Tensor, h: Tensor) -> Tensor:
    (w_z, w_n), (u_z, u_n) = rows(c.weight_ih, 2), rows(c.weight_hh, 2)
    b_z, b_n = rows(c.bias_ih + c.bias_hh, 2)
    z = sigmoid(w_z @ x + u_z @ h + b_z)
    return (1 - z) * torch.tanh(w_n @ x + u_n @ h + b_n) + z * h


def gru_no_update(c: Any, x: Tensor, h: Tensor) -> Tensor:
    (w_r, w_n), (u_r, u_n) = rows(c.weight_ih, 2), rows(c.weight_hh, 2)
    (b_r, b_n), (e_r, e_n) = rows(c.bias_ih, 2), rows(c.bias_hh, 2)
    r = sigmoid(w_r @ x + b_r + u_r @ h + e_r)
    return torch.tanh(w_n @ x + b_n + r * (u_n @ h + e_n))


@pytest.mark.parametrize(
    ("name", "changes", "step"),
    [
        ("mingru", {}, mingru),
        ("minlstm", {}, minlstm),
        ("gru", {"reset": "before"}, gru_before),
        ("gru", {"reset": "none"}, gru_no_reset),
        ("gru", {"update_gate": False}, gru_no_update),
    ],
)
def test_a_cell_follows_its_equations(
    name: str, changes: dict[str, Any], step: Callable[[Any, Tensor, Tensor], Tensor]
) -> None:
    """Written once more, one sample at a time, as the paper has it."""
    cell = cell_of(name, **changes)
    x = sequence()
    found = cell(x)[0]
    for k in range(3):
        h = torch.zeros(3, dtype=torch.float64)
        for t in range(5):
            h = step(cell, x[t, k], h)
            torch.testing.assert_close(found[t, k], h, rtol=0, atol=1e-12)


def lstm_by_the_book(c: Any, x: Tensor, o: dict[str, Any]) -> Tensor:
    """Outputs of one sample, [T, H], gate by gate as Greff et al. number them; evaluation mode."""
    names = [
        n for n, has in (("i", o.get("input_gate", True)),
                         ("f", o.get("forget_gate", True) and not o.get("cifg")),
                         ("g", True), ("o", o.get("output_gate", True))) if has
    ]  # fmt: skip
    w, u = (dict(zip(names, rows(m, len(names)), strict=True)) for m in (c.weight_ih, c.weight_hh))
    gates = [n for n in names if n != "g"]
    p = dict(zip(gates, c.peepholes, strict=True)) if o.get("peepholes") else {}
    h = cell = torch.zeros(3, dtype=torch.float64)
    previous = dict.fromkeys("ifo", h)
    outputs = []
    for x_t in x:
        if o.get("layer_norm"):

            def norm(a: Tensor) -> Tensor:
                return (a - a.mean()) / torch.sqrt(a.var(unbiased=False) + 1e-5)

            all_a = norm(c.weight_ih @ x_t) * c.gain_ih + norm(c.weight_hh @ h) * c.gain_hh
            all_a = all_a + c.bias_ih
        else:
            all_a = c.weight_ih @ x_t + c.weight_hh @ h + c.bias_ih + c.bias_hh
        a = dict(zip(names, rows(all_a, len(names)), strict=True))
        assert w.keys() == u.keys() == a.keys()
        if o.get("full_gate_recurrence"):
            for k, to in enumerate("ifo"):
                for j, of in enumerate("ifo"):
                    r = c.weight_gates[3 * k : 3 * k + 3, 3 * j : 3 * j + 3]
                    a[to] = a[to] + r @ previous[of]
        one = torch.ones(3, dtype=torch.float64)
        i = sigmoid(a["i"] + p.get("i", 0) * cell) if "i" in a else one
        f = sigmoid(a["f"] + p.get("f", 0) * cell) if "f" in a else one
        f = 1 - i if o.get("cifg") else f
        g = torch.tanh(a["g"]) if o.get("input_activation", True) else a["g"]
        new = f * cell + i * g
        new = o.get("zoneout_cell", 0) * cell + (1 - o.get("zoneout_cell", 0)) * new
        out = sigmoid(a["o"] + p.get("o", 0) * new) if "o" in a else one
        read = norm(new) * c.norm_c.weight + c.norm_c.bias if o.get("layer_norm") else new
        h_new = out * (torch.tanh(read) if o.get("output_activation", True) else read)
        h = o.get("zoneout_hidden", 0) * h + (1 - o.get("zoneout_hidden", 0)) * h_new
        cell, previous = new, {"i": i, "f": f, "o": out}
        outputs.append(h)
    return torch.stack(outputs)


@pytest.mark.parametrize("name", LSTMS)
def test_an_lstm_option_follows_its_equations(name: str) -> None:
    """Each option against the papers' equations, one sample at a time, in evaluation mode."""
    cell = cell_of("lstm", **LSTMS[name])
    x = sequence()
    found = cell(x)[0]
    for k in range(3):
        expected = lstm_by_the_book(cell, x[:, k], LSTMS[name])
        torch.testing.assert_close(found[:, k], expected, rtol=0, atol=1e-12)
