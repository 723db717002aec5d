"""Regularisers that draw at random: what falls where, and what evaluation does instead."""

from typing import Any

import pytest
import torch

from mnist_seq.config.reference import default_model
from mnist_seq.models import build_classifier
from mnist_seq.models.cells import Shape
from mnist_seq.models.cells.lstm import LSTMCell
from tests.models.variants import built, sequence

SHAPE = Shape(7, 2)


def cell(**changes: Any) -> LSTMCell:
    found = built("lstm", hidden=20, **changes).cells[0]
    assert isinstance(found, LSTMCell)
    return found


def drawn(**changes: Any) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(3)
    return cell(**changes).noises(SHAPE.time_steps, 200, generator)


def test_gals_mask_is_one_for_a_sequence() -> None:
    """The same units are dropped at every time step: that is what makes it variational."""
    of_x, of_h = drawn(gal_dropout=0.25)
    assert of_x.shape == (1, 200, 2)
    assert of_h.shape == (1, 200, 20)
    assert set(of_h.unique().tolist()) == {0.0, 1 / 0.75}
    assert float(of_h.mean()) == pytest.approx(1.0, abs=0.05)
    assert not (of_h[:, 0] == of_h[:, 1]).all()  # samples have masks of their own


def test_gals_dropout_also_falls_on_the_input() -> None:
    """One mask a sequence on x, too: dropped everywhere, x leaves no trace."""
    lstm = cell(gal_dropout=0.5)
    x = sequence(SHAPE)
    none = torch.zeros(1, 3, 2, dtype=torch.float64)
    all_h = torch.ones(1, 3, 20, dtype=torch.float64)
    dropped = lstm(x, noises=(none, all_h))[0]
    assert torch.equal(dropped, lstm(torch.zeros_like(x))[0])


def test_semeniutas_mask_falls_anew_at_each_time_step() -> None:
    """On what enters the cell, so that no memory is lost."""
    (mask,) = drawn(semeniuta_dropout=0.25)
    assert not (mask[0] == mask[1]).all()
    assert set(mask.unique().tolist()) == {0.0, 1 / 0.75}


def test_zoneout_keeps_whole_units() -> None:
    """1 keeps the old value, 0 takes the new one."""
    (mask,) = drawn(zoneout_cell=0.2)
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert float(mask.mean()) == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize(
    ("changes", "value"),
    [
        ({"gal_dropout": 0.25}, 1.0),
        ({"semeniuta_dropout": 0.25}, 1.0),
        ({"zoneout_cell": 0.2}, 0.2),
        ({"zoneout_hidden": 0.1}, 0.1),
    ],
)
def test_evaluation_takes_the_expectation(changes: dict[str, float], value: float) -> None:
    """Dropout was scaled in training; zoneout mixes old and new by its rate, and is no identity."""
    lstm, x = cell(**changes), sequence(SHAPE)
    expected = tuple(torch.full_like(noise[:, :3], value) for noise in drawn(**changes))
    torch.testing.assert_close(lstm(x)[0], lstm(x, noises=expected)[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "changes",
    [{"dropout": 0.3}, {"layers": 2, "dropout": 0.3}]
    + [{key: 0.2} for key in default_model("lstm").noises()],  # type: ignore[attr-defined]
)
def test_training_draws_and_evaluation_does_not(changes: dict[str, Any]) -> None:
    """Two passes differ in training alone, and the seed alone decides by how much."""
    model = default_model("lstm", hidden=6, **changes)
    net = build_classifier(model, shape=SHAPE, num_outputs=10, rnn_seed=0, head_seed=0)
    x = sequence(SHAPE).float()
    assert not torch.equal(net(x), net(x))
    first, again = (net(x, net.noises(7, 3, torch.Generator().manual_seed(5))) for _ in range(2))
    assert torch.equal(first, again)
    net.eval()
    random = torch.get_rng_state()
    assert torch.equal(net(x), net(x))
    assert torch.equal(torch.get_rng_state(), random)


def test_nothing_is_drawn_where_nothing_is_random() -> None:
    """A stack has no noise to carry, then."""
    model = default_model("gru", layers=2, bidirectional=True)
    net = build_classifier(model, shape=SHAPE, num_outputs=10, rnn_seed=0, head_seed=0)
    assert net.noises(7, 3) == ()


def test_noises_of_other_rates_have_equal_shapes() -> None:
    """So runs of different rates train in one stack."""
    shapes = []
    for rate in (0.1, 0.6):
        model = default_model("lstm", layers=2, dropout=rate, gal_dropout=rate)
        net = build_classifier(model, shape=SHAPE, num_outputs=10, rnn_seed=0, head_seed=0)
        shapes.append([noise.shape for noise in net.noises(7, 3)])
    assert len(shapes[0]) == 6
    assert shapes[0] == shapes[1]
