"""A run of a stack has the numbers of the same run alone."""

from collections.abc import Iterator, Sequence

import pytest
import torch
from torch import Tensor, nn

from mnist_seq.config.paths import options
from mnist_seq.config.reference import default_model
from mnist_seq.config.schema import LSTM
from mnist_seq.training.batched.errors import NotStackable
from mnist_seq.training.batched.stack import Stack
from mnist_seq.training.loop.learner import Learner
from mnist_seq.training.loop.program import Single
from tests.conftest import some
from tests.training.learners import advance, make_learner

STEPS, TOLERANCE = 50, 1e-9


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    """In float32, rounding alone would move the runs apart."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def differing(num: int = 4) -> list[tuple[str, ...]]:
    """What the runs of one stack may differ in."""
    return [
        ("seed=0", "optimizer.lr=0.01", "schedule=constant", "schedule.warmup=3"),
        ("seed=1", "optimizer.lr=0.03", "schedule=cosine"),
        ("seed=2", "optimizer.lr=0.002", "schedule=onecycle"),
        ("seed=3", "optimizer.lr=0.02", "schedule=step", "schedule.every=4"),
    ][:num]


def stacked(learners: Sequence[Learner]) -> Stack:
    return Stack(learners, [None] * len(learners))


def check_equal(
    words: Sequence[str], each: Sequence[Sequence[str]], num_steps: int = STEPS
) -> list[Learner]:
    """Train runs alone and as a stack, and compare all that training leaves behind."""
    alone = [make_learner(*words, *own) for own in each]
    together = [make_learner(*words, *own) for own in each]
    configs = [learner.config for learner in alone]
    singles = [Single(learner, None) for learner in alone]
    for single, config in zip(singles, configs, strict=True):
        advance(single, [config], range(num_steps))
    stack = stacked(together)
    advance(stack, configs, range(num_steps))
    evaluations = stack.evaluate("valid")
    for i, single in enumerate(singles):
        close(together[i].model.state_dict(), alone[i].model.state_dict())
        close(stack.loss_sums[i], single.loss_sums[0])
        # Relative too: at the large rate Mamba diverges to a loss of thousands
        expected = single.evaluate("valid")[0].loss
        assert evaluations[i].loss == pytest.approx(expected, rel=TOLERANCE, abs=TOLERANCE)
        mine, theirs = stack.optimizer_state(i), single.optimizer_state(0)
        assert mine["param_groups"] == theirs["param_groups"]
        close(mine["state"], theirs["state"])
    return alone


def close(a: object, b: object) -> None:
    if isinstance(a, dict):
        assert isinstance(b, dict)
        assert a.keys() == b.keys()
        for key in a:
            close(a[key], b[key])
    else:
        torch.testing.assert_close(a, b, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("cell", some(options("model"), 4))
def test_every_cell_has_the_numbers_that_it_has_alone(cell: str) -> None:
    words, num_steps = [f"model={cell}", "training.clip_norm=0.3"], STEPS
    if default_model(cell).hidden_multiple() > 1:
        words.append("model.heads=1")
    if cell == "gated_delta":  # see below
        num_steps = 15
    learners = check_equal(words, differing(), num_steps)
    weights = [learner.model.head.weight for learner in learners]
    assert not torch.equal(weights[0], weights[1])


def test_runs_of_a_stack_clip_by_value_as_runs_alone() -> None:
    check_equal(["training.clip_value=0.001", "optimizer=sgd"], differing(2), 10)


def test_what_moves_a_cell_with_heads_in_a_stack_is_rounding() -> None:
    """Over 50 steps at a large rate a stack moves Gated DeltaNet by 4e-9: no further than a run
    alone is moved by first weights that differ in their last bit."""
    words = ("model=gated_delta", "model.heads=1", "model.hidden=8", *differing()[1])
    alone, moved, together = (make_learner(*words, "training.clip_norm=0.3") for _ in range(3))
    draw = torch.Generator().manual_seed(0)
    for weight in moved.model.parameters():
        weight.data.mul_(1 + 2e-16 * torch.randn(weight.shape, generator=draw))
    for learner in (alone, moved):
        advance(Single(learner, None), [alone.config], range(STEPS))
    stack = stacked([together])
    advance(stack, [alone.config], range(STEPS))
    stack.evaluate("valid")  # hands the weights back

    def distance(learner: Learner) -> float:
        pairs = zip(learner.model.parameters(), alone.model.parameters(), strict=True)
        return max(float((a - b).detach().abs().max()) for a, b in pairs)

    assert 0 < distance(together) < 20 * distance(moved) < 1e-6


LSTM_OPTIONS = (
    "model.cifg=true",
    "model.peepholes=true",
    "model.layer_norm=true",
    "model.full_gate_recurrence=true",
    "model.output_gate=false",
    "model.bidirectional=true",
    "model.readout=mean",
)


@pytest.mark.parametrize("word", some(LSTM_OPTIONS, 2))
def test_options_of_the_lstm_do_too(word: str) -> None:
    check_equal((word,), differing(2))


@pytest.mark.slow
def test_every_regulariser_of_the_lstm_falls_as_it_falls_alone() -> None:
    """Each run draws from its own stream, in the order of a run alone."""
    rates = [f"model.{key}=0.2" for key in LSTM.noises()]
    assert isinstance(default_model("lstm"), LSTM)
    for words in (rates, ["model.layers=2"], ["model=gru", "model.layers=2"]):
        own = [(*of_run, f"model.dropout=0.{i + 1}") for i, of_run in enumerate(differing(3))]
        check_equal(words, own)


def test_augmented_batches_are_those_of_the_run_alone() -> None:
    words = ("data.shift=1", "data.noise=0.3", "data.drop_steps=0.2", "model.bias=one")
    check_equal(words, differing(2))


def test_a_run_that_diverges_leaves_the_others_as_they_were() -> None:
    """Not a number in one run's weights is not a number in no other's."""
    own = [("seed=0",), ("seed=1", "optimizer.weight_decay=1.0e+30"), ("seed=2",)]
    words = ("model=rnn", "optimizer=sgd", "training.clip_norm=1.0")
    learners = [make_learner(*words, *of_run) for of_run in own]
    stack = stacked(learners)
    advance(stack, [learner.config for learner in learners], range(STEPS))
    assert stack.loss_sums.isfinite().tolist() == [True, False, True]
    alone = make_learner(*words, *own[2])
    advance(Single(alone, None), [alone.config], range(STEPS))
    close(learners[2].model.state_dict(), alone.model.state_dict())


class Branching(nn.Linear):
    """A head that looks at a value."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input if input.sum() > 0 else -input)


def test_a_model_that_branches_on_a_value_is_refused_by_name() -> None:
    """The reader is told which key to change, not what vmap thinks of `.item()` alone."""
    learners = [make_learner(f"seed={seed}") for seed in range(2)]
    for learner in learners:
        learner.model.head = Branching(learner.model.head.in_features, 10)
    with pytest.raises(NotStackable, match=r"model=lstm cannot be part of a stack: .*pool"):
        advance(stacked(learners), [learner.config for learner in learners], range(1))
