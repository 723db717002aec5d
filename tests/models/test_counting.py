"""What a model carries and multiplies at each time step, against counts by hand."""

import subprocess
import sys
from typing import Any

import pytest
import torch

from mnist_seq.config.reference import default_model
from mnist_seq.models import Shape, build_classifier
from mnist_seq.models.counting import Counts, multiply_adds
from mnist_seq.notebook import compose
from mnist_seq.training.preflight.count import counts, recorded_counts

D, H, HEADS = 5, 8, 4
K = H // HEADS
# Numbers of the state, and products: with matrices, and then element by element
BY_HAND: dict[str, tuple[int, int]] = {
    "lstm": (2 * H, 4 * H * (D + H) + 3 * H),  # f c, i g, o tanh(c)
    "gru": (H, 3 * H * (D + H) + 2 * H),  # r n_h, and a lerp
    "rnn": (H, H * (D + H)),
    "irnn": (H, H * (D + H)),
    "indrnn": (H, H * D + H),
    "mgu": (H, 2 * H * (D + H) + 2 * H),
    "janet": (H, 2 * H * (D + H) + 2 * H),
    "mut1": (H, 3 * H * D + 2 * H * H + 2 * H),
    "mingru": (H, 2 * H * D + H),
    "minlstm": (H, 3 * H * D + 2 * H),  # one division
    "lru": (2 * H, D * H + 2 * H * H + 2 * H + 4 * H + 2 * H * H + H),
    "rglru": (H + 1, D * H + 2 * H * K + 4 * H),
    "slstm": (4 * H, 4 * H * D + 4 * H * K + 6 * H),  # one is the norm's scale
    "lem": (2 * H, 4 * H * (D + H) + 2 * H),
    # 8 weights of the second row of m and u; the encoders of h and m
    "lmu": (H + 32, (H + 1) * D + H * H + 32 * H + H + 32 + 32 * 32 + 32),
    "hgrn": (H, 3 * H * D + H * H + H + H + H + H + H),
    "mamba": (
        16 * 2 * H + 4 * 2 * H,
        4 * H * D + 4 * 2 * H + 33 * 2 * H + 2 * H + 2 * H * H  # of weights
        + 16 * 2 * H * 4 + 2 * H  # dt A, keep S', write, read; dt c
        + 2 * 2 * H,  # the skip, and the gate
    ),
    "mlstm": (
        H * K + H + HEADS,
        4 * H * D + 2 * HEADS * 3 * H + H * H  # of weights
        + 3 * H * K + 3 * H  # keep S', k v, S q; keep n', write k, n q
        + 3 * H,  # the quotient, the scale of the norm, and the gate
    ),
}  # fmt: skip

E, N, RANK = 2 * H, 16, 1  # of Mamba
BY_HAND["mamba"] = (
    E * N + 3 * E,
    2 * E * D + 4 * E + E * (RANK + 2 * N) + E * RANK + H * E  # of weights
    + 4 * E * N + 3 * E,  # dt A, keep S', dt c b, S C; dt c, D c, gate
)  # fmt: skip


def net_counts(changes: dict[str, Any], name: str = "lstm", **options: Any) -> Counts:
    model = default_model(name, hidden=H, **changes)
    shape = Shape(6, options.pop("num_inputs", D))
    net = build_classifier(model, shape=shape, num_outputs=3, rnn_seed=0, head_seed=1, **options)
    return net.eval().counts(shape)


@pytest.mark.parametrize("name", BY_HAND)
def test_a_cell_has_the_counts_by_hand(name: str) -> None:
    assert net_counts({}, name) == BY_HAND[name]


def test_all_that_runs_at_each_time_step_is_counted() -> None:
    """Layers, directions, blocks and an embedding; a head only where it answers each step."""
    state, products = BY_HAND["lstm"]
    of_two = 2 * (4 * H * 2 * H + 4 * H * H + 3 * H)
    two = {"layers": 2, "bidirectional": True}
    assert net_counts(two) == (4 * state, 2 * products + of_two)
    own = 4 * 2 * (D + 2) + 3 * 2 + 4 * H * (2 + H) + 3 * H
    assert net_counts({"layers": 2, "below": (2,)}) == (state + 4, own)
    inner = 4 * H * 2 * H + 3 * H
    glu = {"block": "residual", "conv": 4, "after": "glu", "layers": 2}
    block = 4 * H + inner + 2 * H * H
    # the product of a gated linear unit is inside an activation
    assert net_counts(glu) == (2 * (2 * H + 3 * H), D * H + 2 * block)
    mlp = {"block": "residual", "after": "mlp", "norm": "layer"}
    assert net_counts(mlp) == (2 * H, D * H + inner + 9 * H * H + 3 * H)
    attention = {"block": "none", "after": "none"}  # time steps look at 1 to 6 of them
    assert net_counts(attention, "transformer") == (2 * 6 * H, 3 * H * D + H * H + 7 * H)
    of_first = (H * D + H * H) * 2 + H * D  # convolutions of two time steps, and the skip
    tcn = {"levels": 2, "kernel": 2}
    assert net_counts(tcn, "tcn") == (D + H + 2 * 2 * H, of_first + 4 * H * H)
    assert net_counts({}, per_step=True) == (state, products + 3 * H)
    head, projection = {"head": (4,), "readout_norm": "layer"}, {"projection": D}
    assert net_counts(head, per_step=True) == (state, products + 4 * H + 3 * 4)
    assert net_counts(head | projection, num_inputs=50) == (state, products + 50 * D)
    assert net_counts({}, embedding=D, num_inputs=50) == (state, products)


def test_counts_are_of_one_example_and_need_no_values() -> None:
    """What depends on the weights alone is computed once a batch, so it is not counted."""
    weight = torch.ones(3, 4, device="meta")
    assert multiply_adds(lambda x: x @ (weight * weight).mT, weight.new_zeros(1, 1, 4)) == 12
    assert multiply_adds(lambda x: x * x + x * x, torch.ones(1, 1, 4)) == 4  # the same twice
    config = compose("model=rglru", "data=mqar", "model.hidden=8")
    assert recorded_counts(config) == counts(config)._asdict()


def test_a_cell_that_cannot_be_counted_ends_its_run_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An own cell may raise anything where one step is run alone."""
    from mnist_seq.models.cells.mgu import MGU

    step = MGU.step
    monkeypatch.setattr(MGU, "step", lambda cell, x, *rest: step(cell, x[:, :1] @ x, *rest))
    assert recorded_counts(compose("model=mgu", "model.hidden=3")) == {}
    assert "state_size and multiply_adds of model=mgu are not counted" in caplog.text


def test_a_run_does_not_import_a_compiler_to_count() -> None:
    """torch's takes more than a second, and its sympy a third of one, at the end of every run."""
    code = (
        "import sys; from mnist_seq.config.reference import default_data, default_model\n"
        "from mnist_seq.tasks import task_of; from mnist_seq.training.preflight.count import *\n"
        "spec = task_of(default_data('mnist')).spec\n"
        "for name in ('lstm', 'gru'): print(model_counts(default_model(name), spec))\n"
        "assert not {'torch._dynamo', 'sympy'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
