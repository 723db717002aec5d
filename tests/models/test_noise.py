"""Regularisers that draw at random: what falls where, and what evaluation does instead."""

from typing import Any

import pytest
import torch

from mnist_seq.models.lstm_cell import LSTMCell
from mnist_seq.models.recurrence import Shape
from tests.models.variants import built, sequence

SHAPE = Shape(7, 2)


def cell(**changes: Any) -> LSTMCell:
    found = built("lstm", hidden=20, **changes).cells[0]
    assert isinstance(found, LSTMCell)
    return found


def drawn(*, is_training: bool, **changes: Any) -> torch.Tensor:
    torch.manual_seed(3)
    (noise,) = cell(**changes).train(is_training).noise(sequence(SHAPE, batch=200))
    return noise


def test_gals_mask_is_one_for_a_sequence() -> None:
    """The same units are dropped at every time step: that is what makes it variational."""
    mask = drawn(is_training=True, gal_dropout=0.25)
    assert (mask == mask[0]).all()
    assert set(mask.unique().tolist()) == {0.0, 1 / 0.75}
    assert float(mask[0].mean()) == pytest.approx(1.0, abs=0.05)
    assert not (mask[:, 0] == mask[:, 1]).all()  # samples have masks of their own


def test_gals_dropout_also_falls_on_the_input() -> None:
    """One mask a sequence on x, too."""
    torch.manual_seed(3)
    lstm = cell(gal_dropout=0.5).train()
    with torch.no_grad():
        lstm.weight_ih.fill_(1.0), lstm.bias_ih.zero_(), lstm.bias_hh.zero_()
    seen = lstm.project(torch.ones(7, 100, 2, dtype=torch.float64))[..., 0]
    assert (seen == seen[0]).all()
    assert set(seen.unique().tolist()) == {0.0, 2.0, 4.0}


def test_semeniutas_mask_falls_anew_at_each_time_step() -> None:
    """On what enters the cell, so that no memory is lost."""
    mask = drawn(is_training=True, semeniuta_dropout=0.25)
    assert not (mask[0] == mask[1]).all()
    assert set(mask.unique().tolist()) == {0.0, 1 / 0.75}


def test_zoneout_keeps_whole_units() -> None:
    """1 keeps the old value, 0 takes the new one."""
    mask = drawn(is_training=True, zoneout_cell=0.2)
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
    assert (drawn(is_training=False, **changes) == value).all()


def test_training_draws_and_evaluation_does_not() -> None:
    """Two passes differ in training alone."""
    lstm = cell(gal_dropout=0.2, semeniuta_dropout=0.2, zoneout_cell=0.1, zoneout_hidden=0.1)
    x = sequence()
    assert torch.equal(lstm.eval()(x)[0], lstm(x)[0])
    assert not torch.equal(lstm.train()(x)[0], lstm(x)[0])


def test_a_stack_of_nets_can_draw() -> None:
    """Under vmap, each net its own masks."""
    lstm = cell(gal_dropout=0.5, semeniuta_dropout=0.5, zoneout_cell=0.5).train()
    stacks = {name: torch.stack((w.detach(),) * 2) for name, w in lstm.named_parameters()}
    x = sequence()
    run = torch.func.vmap(
        lambda weights: torch.func.functional_call(lstm, weights, (x,))[0], randomness="different"
    )
    first, second = run(stacks)
    assert not torch.equal(first, second)
