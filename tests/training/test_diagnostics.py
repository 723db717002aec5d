"""Gradients and states along a sequence."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mnist_seq.config import ConfigError
from mnist_seq.models import Classifier, Shape, build_classifier
from mnist_seq.tasks import Spec
from mnist_seq.tasks.batches.batch import Batch
from mnist_seq.training.diagnostics import diagnose, norms
from mnist_seq.training.preflight.check import check_run
from tests.conftest import SMALL, Command, config_of
from tests.models.variants import EVERY, RECURRENT, small_model


def net(name: str, **changes: Any) -> Classifier:
    model = small_model(name, hidden=5, **changes)
    built = build_classifier(model, shape=Shape(6, 3), num_outputs=10, rnn_seed=1, head_seed=2)
    return built.double()


def batch() -> tuple[Batch, Spec]:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(6, 4, 3, generator=generator).double()
    return Batch(x, torch.tensor([1, 2, 3, 4])), Spec("vector", 3, "class", 10, time_steps=6)


@pytest.mark.parametrize("readout", ["last", "mean"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("name", ["lstm", "gru", "rnn"])
def test_gradients_are_those_of_the_state_handed_on(name: str, layers: int, readout: str) -> None:
    """Torch's own kernel, cut at a time step, with its state as the variable."""
    classifier = net(name, layers=layers, readout=readout)
    (x, y, *_), _ = batch()
    row = diagnose(classifier, *batch())
    outputs, state = classifier.rnn(x[:3])
    states = [s.detach().requires_grad_() for s in (state if name == "lstm" else (state,))]
    given = tuple(states) if name == "lstm" else states[0]
    rest, state = classifier.rnn(x[3:], given)
    h = state[0] if name == "lstm" else state
    both = torch.cat((outputs[:2].detach(), states[0][-1:], rest))
    features = both.mean(dim=0) if readout == "mean" else h[-1]
    loss = F.cross_entropy(classifier.head(features), y, reduction="sum")
    top = [g[-1] for g in torch.autograd.grad(loss, states)]
    # with two layers the lower one carries states on, too: cut there, only the upper one's count
    if layers == 1:
        expected = torch.cat(top, dim=-1).norm(dim=-1).mean()
        assert row["gradient/t002"] == pytest.approx(float(expected), rel=1e-9)
    last = classifier.rnn(x)[0][-1].detach()
    assert row["state/last"] == pytest.approx(float(last.norm(dim=-1).mean()))


@pytest.mark.parametrize("variant", RECURRENT)
def test_every_cell_can_be_diagnosed(variant: str) -> None:
    """Finite, one value a time step, and nothing drawn or changed."""
    name, changes = EVERY[variant]
    classifier = net(name, **changes, layers=2, bidirectional=True)
    before = [w.detach().clone() for w in classifier.parameters()]
    random = torch.get_rng_state()
    row = diagnose(classifier, *batch())
    assert sum(key.startswith("gradient/") for key in row) == 6
    assert all(math.isfinite(value) and value >= 0 for value in row.values())
    assert row["gradient/t005"] > 0
    assert torch.equal(random, torch.get_rng_state())
    assert classifier.training
    assert all(torch.equal(a, b) for a, b in zip(before, classifier.parameters(), strict=True))
    assert all(w.grad is None for w in classifier.parameters())


def test_gates_pushed_open_are_saturated() -> None:
    """A bias of 20 leaves no gate to move; the simple network has none."""
    classifier = net("lstm")
    assert diagnose(classifier, *batch())["gates/saturated"] == 0
    assert isinstance(classifier.rnn, nn.LSTM)
    with torch.no_grad():
        classifier.rnn.bias_ih_l0.fill_(20.0)
    assert diagnose(classifier, *batch())["gates/saturated"] == 1
    assert "gates/saturated" not in diagnose(net("rnn"), *batch())


def test_a_vanishing_gradient_shows() -> None:
    """Recurrent weights of a hundredth: each step back costs two orders of magnitude."""
    classifier = net("rnn")
    with torch.no_grad():
        classifier.rnn.weight_hh_l0.copy_(0.01 * torch.eye(5))
    row = diagnose(classifier, *batch())
    assert row["gradient/t000"] < 1e-9 * row["gradient/t005"]


@pytest.mark.slow
def test_the_compiler_stays_out() -> None:
    """Torch imports it for seconds where operations are watched below its functions."""
    script = (
        "import sys, torch; from mnist_seq import compose\n"
        "from mnist_seq.models import Shape, build_classifier\n"
        "from mnist_seq.training.diagnostics import diagnose\n"
        "model = build_classifier(compose('model.hidden=4').model, shape=Shape(3, 2),\n"
        "                         num_outputs=10, rnn_seed=0, head_seed=0)\n"
        "from mnist_seq.tasks import Spec\n"
        "from mnist_seq.tasks.batches.batch import Batch\n"
        "batch = Batch(torch.rand(3, 5, 2), torch.zeros(5, dtype=torch.long))\n"
        "row = diagnose(model, batch, Spec('vector', 2, 'class', 10, time_steps=3))\n"
        "print('gates/saturated' in row, 'torch._dynamo' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "False"]


@pytest.mark.parametrize("name", ["lstm", "transformer"])
def test_norms_are_those_of_the_weights_and_their_gradients(name: str) -> None:
    """Of those that are trained, dropout or not; the model stays in training mode."""
    classifier = net(name, layers=2, dropout=0.5)
    classifier.head.bias.requires_grad_(False)
    row = norms(classifier, *batch())
    assert classifier.training
    (x, y, *_), _ = batch()
    F.cross_entropy(classifier.eval()(x), y).backward()
    wanted = {}
    for key, weight in classifier.named_parameters():
        if key != "head.bias":
            assert weight.grad is not None
            wanted[f"gradient_norm/{key}"] = float(weight.grad.norm())
            wanted[f"weight_norm/{key}"] = float(weight.detach().norm())
    for kind in ("gradient_norm", "weight_norm"):
        wanted[f"{kind}/all"] = math.hypot(*(v for k, v in wanted.items() if k.startswith(kind)))
    assert row == pytest.approx(wanted, rel=1e-9, abs=1e-12)


def test_more_norms_than_a_line_holds_are_refused() -> None:
    with pytest.raises(ConfigError, match="of 300 at most: this net has 322"):
        check_run(config_of("model.layers=80", "model.hidden=2", "+diagnostics=norms"))


@pytest.mark.slow
def test_a_run_logs_them_and_keeps_its_numbers(train: Command, tmp_path: Path) -> None:
    """Watching changes nothing: same weights, same result, more keys in each line."""
    rows = []
    for words in ([], ["training.diagnostics=all"]):
        train(*SMALL, "data.limit=400", f"hydra.run.dir={len(words)}", *words)
        folder = tmp_path / str(len(words))
        rows.append(json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1]))
    assert {
        "gradient/t000",
        "gradient/t027",
        "state/last",
        "gradient_norm/all",
        "weight_norm/head.bias",
    } <= rows[1].keys() - rows[0].keys()
    for key in ("train/loss", "valid/loss", "valid/accuracy"):
        assert rows[0][key] == rows[1][key]
