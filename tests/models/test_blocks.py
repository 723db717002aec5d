"""Residual blocks: the same around every cell, torch's own LSTM included."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mnist_seq.config import ConfigError, plain
from mnist_seq.config.paths import options
from mnist_seq.config.reference import default_model
from mnist_seq.models import Classifier, Shape, build_classifier
from mnist_seq.models.blocks import Blocks
from mnist_seq.notebook import compose
from mnist_seq.runs.variants import BaselineRule, flat
from mnist_seq.tasks import Spec
from mnist_seq.tasks.batches.batch import Batch
from mnist_seq.training.diagnostics import diagnose
from mnist_seq.training.preflight.task import check_task
from tests.models.variants import sequence, small_model

SHAPE = Shape(4, 2)
FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": ("lstm", {}),
    "glu, conv": ("gru", {"after": "glu", "conv": 3, "norm": "rms", "layers": 2}),
    "mlp": ("mingru", {"after": "mlp", "conv": 2}),
    "two directions": ("mgu", {"after": "glu", "bidirectional": True, "readout": "mean"}),
}


def net(name: str, *, hidden: int = 2, seed: int = 0, tbptt: Any = "none", **changes: Any) -> Any:
    model = small_model(name, block="residual", hidden=hidden, **changes)
    return build_classifier(
        model, shape=SHAPE, num_outputs=3, rnn_seed=seed, head_seed=seed, tbptt=tbptt
    ).double()


@pytest.fixture(params=FORMS)
def blocks(request: pytest.FixtureRequest) -> Blocks:
    name, changes = FORMS[request.param]
    return net(name, **changes).rnn.eval()


def test_gradients_are_those_of_the_forward_pass(blocks: Blocks) -> None:
    """By finite differences, with all that a block may have."""
    x = sequence(SHAPE, batch=2).requires_grad_()
    weights = [w.detach().clone().requires_grad_() for w in blocks.parameters()]
    names = [name for name, _ in blocks.named_parameters()]

    def run(x: Tensor, *weights: Tensor) -> Tensor:
        given = dict(zip(names, weights, strict=True))
        return torch.func.functional_call(blocks, given, (x,))[0]

    assert torch.autograd.gradcheck(run, (x, *weights), fast_mode=True)


def test_samples_and_later_inputs_are_not_seen(blocks: Blocks) -> None:
    """A norm over the batch, or a convolution of later time steps, would be."""
    x = sequence(SHAPE)
    before = blocks(x)[0]
    torch.testing.assert_close(before[:, :1], blocks(x[:, :1])[0], rtol=0, atol=1e-12)
    x[2:] += 1
    same = torch.isclose(before[:2], blocks(x)[0][:2], rtol=0, atol=1e-12).all()
    assert same == (blocks.step_cells()[0][1:] == []), "the backward direction sees them"


def test_the_state_goes_on_in_the_middle_of_a_sequence() -> None:
    """The convolution's last inputs are a part of it."""
    for name, changes in list(FORMS.values())[:3]:
        rnn, x = net(name, **changes).rnn.eval(), sequence(SHAPE)
        first, state = rnn(x[:1])
        rest, state = rnn(x[1:], state)
        outputs, whole = rnn(x)
        torch.testing.assert_close(torch.cat((first, rest)), outputs, rtol=0, atol=1e-12)
        torch.testing.assert_close(rnn.last(rest, state), rnn.last(outputs, whole))


def test_a_block_is_what_its_papers_say() -> None:
    """Torch's own modules in the order of the papers: pre-norm, cell, GLU; and a gated MLP."""
    for after in ("glu", "mlp"):
        rnn = net("lstm", hidden=3, after=after, conv=2).rnn.eval()
        (block,) = rnn.blocks
        x = rnn.encoder(sequence(SHAPE))
        conv = nn.Conv1d(3, 3, 2, groups=3, padding=1).double()
        conv.load_state_dict(
            {"weight": block.conv.weight.squeeze().T.unsqueeze(1), "bias": block.conv.bias}
        )
        read = F.layer_norm(x, (3,), block.norm.weight, block.norm.bias)
        read = conv(read.permute(1, 2, 0))[..., :4].permute(2, 0, 1)
        lstm = nn.LSTM(3, 3).double()
        lstm.load_state_dict(block.cell.state_dict())
        y = lstm(read)[0]
        if after == "glu":
            value, gate = block.glu(F.gelu(y)).chunk(2, dim=-1)
            x = x + value * torch.sigmoid(gate)
        else:
            x = x + y
            gate, value = block.up(block.mlp_norm(x)).chunk(2, dim=-1)
            x = x + block.down(F.gelu(gate) * value)
        expected = F.layer_norm(x, (3,), rnn.norm.weight, rnn.norm.bias)
        torch.testing.assert_close(rnn(sequence(SHAPE))[0], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", options("model"))
def test_every_cell_fits_into_blocks(name: str) -> None:
    """Trained with dropout, each weight has a gradient; masks are the same at all time steps."""
    made: Classifier = net(name, hidden=4, layers=2, after="glu", conv=2, dropout=0.5)
    noises = made.noises(4, 3, torch.Generator().manual_seed(0))
    assert [noise.shape for noise in noises] == [(1, 3, 4)] * 4
    made(sequence(SHAPE), noises).sum().backward()
    assert all(w.grad is not None and w.grad.isfinite().all() for w in made.parameters())
    x = sequence(SHAPE)
    torch.testing.assert_close(made(x, ()), made.eval()(x))


@pytest.mark.parametrize("form", FORMS)
def test_a_run_of_a_stack_has_its_own_gradients(form: str) -> None:
    """Each run draws its own masks and has its own convolution."""
    name, changes = FORMS[form]
    nets = [net(name, seed=seed, dropout=0.3, **changes) for seed in range(2)]
    drawn = [each.noises(4, 3, torch.Generator().manual_seed(k)) for k, each in enumerate(nets)]
    weights = {
        key: torch.stack([each.get_parameter(key).detach() for each in nets]).requires_grad_()
        for key, _ in nets[0].named_parameters()
    }
    x = sequence(SHAPE)
    stacked = torch.func.vmap(
        lambda weights, noises: torch.func.functional_call(nets[0], weights, (x, noises))
    )(weights, tuple(torch.stack(each) for each in zip(*drawn, strict=True)))
    stacked.sin().sum().backward()
    for run, each in enumerate(nets):
        alone = each(x, drawn[run])
        torch.testing.assert_close(stacked[run], alone, rtol=0, atol=1e-10)
        alone.sin().sum().backward()
        for key, weight in each.named_parameters():
            of_stack = weights[key].grad
            assert of_stack is not None
            torch.testing.assert_close(of_stack[run], weight.grad, rtol=0, atol=1e-10)


def test_truncation_cuts_the_state_of_every_block() -> None:
    """As a sequence that starts in the middle, from a state without a history."""
    cut = net("lstm", tbptt=2, conv=2, layers=2).train()
    x = sequence(SHAPE)
    with torch.no_grad():
        _, state = cut.rnn(x[:2])
    expected = cut.head(cut.rnn(x[2:], state)[0][-1])
    weights = list(cut.parameters())
    for a, b in zip(*(torch.autograd.grad(y.sum(), weights) for y in (cut(x), expected)),
                    strict=True):  # fmt: skip
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_blocks_can_be_diagnosed(form: str) -> None:
    """The last layer's states, through what is behind its cell; the loss is the classifier's."""
    name, changes = FORMS[form]
    spec = Spec("vector", 2, "class", 3, time_steps=4)
    row = diagnose(net(name, **changes), Batch(sequence(SHAPE), torch.tensor([0, 1, 2])), spec)
    assert sum(key.startswith("gradient/") for key in row) == 4
    assert row["gradient/t003"] > 0


def test_what_is_no_block_is_refused() -> None:
    """Parts of a block without one would be left out without a word."""
    for cell in ("lstm", "gru"):
        problem = default_model(cell, after="glu", conv=4).problem()
        assert problem.startswith("model.conv=4 model.after=glu is a part of a block; choose")
    with pytest.raises(ConfigError, match=r"one: model.block=residual model.bidirectional=true"):
        check_task(compose("model.block=residual", "model.bidirectional=true"))


def test_the_baseline_has_the_same_blocks() -> None:
    """Else the block would be compared, not the recurrence."""

    def variant(*words: str) -> dict[str, Any]:
        return flat(plain(compose(*words)))

    in_blocks, bare = variant("model.block=residual"), variant()
    assert in_blocks == {**bare, "model.block": "residual"}, "the default is that of older runs"
    others = [variant("model=mgu", *words) for words in ([], ["model.block=residual"])]
    rule = BaselineRule([bare, in_blocks, *others], defaults=variant())
    assert rule.find(others[0]) == bare
    assert rule.find(others[1]) == in_blocks


def test_equal_passes_are_bitwise_equal(blocks: Blocks) -> None:
    """No call leaves a buffer behind that changes the next one."""
    first, second = ([*blocks(sequence(SHAPE))[:1]] for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
