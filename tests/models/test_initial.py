"""Initial weights, and sizes."""

import math

import pytest
import torch
from torch import nn

from mnist_seq.config.paths import options
from mnist_seq.config.reference import default_model
from mnist_seq.models import Shape
from mnist_seq.tasks import Spec
from mnist_seq.training.preflight.count import model_params
from tests.models.variants import SMALL, built, sequence

# Numbers that papers print: two biases a gate, and a head with ten classes
TABLE = [
    (28, 64, 24_714, 18_698, 6_666),
    (28, 128, 82_186, 61_962, 21_514),
    (1, 128, 68_362, 51_594, 18_058),
    (1, 256, 267_786, 201_482, 68_874),
]


@pytest.mark.parametrize(("input_size", "hidden", "lstm", "gru", "rnn"), TABLE)
def test_parameters_are_counted_as_the_papers_do(
    input_size: int, hidden: int, lstm: int, gru: int, rnn: int
) -> None:
    """The published 68k, 267k and 201k are these."""
    spec = Spec("vector", input_size, "class", 10, time_steps=784 // input_size)
    for name, count in (("lstm", lstm), ("gru", gru), ("rnn", rnn)):
        assert model_params(default_model(name, hidden=hidden), spec) == count


def test_a_coupled_lstm_is_as_large_as_a_gru() -> None:
    """CIFG drops the forget gate's weights, and no others."""
    spec = Spec("vector", 28, "class", 10, time_steps=28)
    for hidden in (64, 150):
        cifg = model_params(default_model("lstm", cifg=True, hidden=hidden), spec)
        assert cifg == model_params(default_model("gru", hidden=hidden), spec)


# of a layer of 5 units that reads 2 numbers: input and recurrent weights, one bias
@pytest.mark.parametrize(("name", "gates"), [
    ("lstm", 4), ("gru", 3), ("rnn", 1), ("irnn", 1), ("lem", 4),
])  # fmt: skip
def test_one_bias_a_gate_is_counted_and_trained_alone(name: str, gates: int) -> None:
    """The recurrent product's stays at 0, under torch's name, on the way that the others take."""
    two, one = (built(name, hidden=5, bias=bias, layers=2) for bias in ("two", "one"))
    sizes = [sum(weight.numel() for weight in net.parameters()) for net in (two, one)]
    assert sizes[1] == gates * 5 * (2 + 5 + 1 + 5 + 5 + 1) == sizes[0] - 2 * gates * 5
    weights = one.state_dict()
    assert set(weights) == set(two.state_dict())
    assert not any(weight.any() for key, weight in weights.items() if "bias_hh" in key)
    two.load_state_dict(weights)
    outputs = [net.train()(sequence())[0] for net in (two, one)]
    torch.testing.assert_close(*outputs, rtol=0, atol=1e-12)
    for each in outputs:
        each.square().sum().backward()
    theirs = dict(two.named_parameters())
    for key, weight in one.named_parameters():
        torch.testing.assert_close(weight.grad, theirs[key].grad, rtol=0, atol=1e-12)
    torch.testing.assert_close(one.float()(sequence().float())[0].double(), outputs[1].detach())


def test_with_layer_normalisation_there_is_one_bias_already() -> None:
    said = default_model("lstm", layer_norm=True, bias="one").problem()
    assert said == "model.layer_norm=true has one bias for both products: choose model.bias=two"


def biases(lstm: nn.Module) -> torch.Tensor:
    """Sum of both biases of nn.LSTM, by gate: i, f, g, o."""
    total = lstm.bias_ih_l0 + lstm.bias_hh_l0
    return total.view(4, -1).detach()


@pytest.mark.parametrize("value", [0, 1.0, 2])
def test_the_forget_bias_is_the_sum_of_torchs_two(value: float) -> None:
    """Setting both to 1 would start at 2."""
    lstm = built("lstm", forget_bias=value)
    assert isinstance(lstm, nn.LSTM)  # torch's kernel still runs it
    assert (biases(lstm)[1] == value).all()
    assert (biases(lstm)[[0, 2, 3]] == biases(built("lstm"))[[0, 2, 3]]).all()


def test_a_forget_bias_leaves_the_other_weights_alone() -> None:
    """Runs of one seed differ in that bias only: they stay paired."""
    for name, weight in built("lstm", forget_bias=1).named_parameters():
        if name.startswith("weight"):
            assert torch.equal(weight, built("lstm").get_parameter(name))


@pytest.mark.parametrize("time_steps", [28, 784])
def test_chrono_biases_span_the_sequence(time_steps: int) -> None:
    """exp(b_f) is uniform up to T - 1, b_i is its negative, all others are 0."""
    lstm = built("lstm", hidden=2000, shape=Shape(time_steps, 1), forget_bias="chrono")
    i, f, g, o = biases(lstm)
    assert (i == -f).all()
    assert (g == 0).all()
    assert (o == 0).all()
    assert 0 <= float(f.min()) <= float(f.max()) <= math.log(time_steps - 1) + 1e-6
    assert float(f.exp().mean()) == pytest.approx(time_steps / 2, rel=0.05)


def test_chrono_differs_from_seed_to_seed() -> None:
    """Unlike the code of JANET's authors."""
    a, b = (built("lstm", forget_bias="chrono", seed=seed) for seed in (0, 1))
    assert not torch.equal(biases(a), biases(b))
    first, second = (built("janet", seed=seed).cells[0].bias_ih[:3] for seed in (0, 1))
    assert not torch.equal(first, second)
    assert (first >= 0).all()


@pytest.mark.parametrize(
    ("name", "changes"),
    [("lstm", {}), ("lstm", {"layer_norm": True}), ("gru", {}), ("gru", {"reset": "none"}),
     ("rnn", {})],
)  # fmt: skip
def test_torchs_cells_can_start_as_those_of_keras(name: str, changes: dict[str, object]) -> None:
    """Input weights by inputs and outputs of all gates, biases 0, the forget gate's 1."""
    forget = {"forget_bias": 1.0} if name == "lstm" else {}
    starts = {"init": "orthogonal", "bias_init": "zeros", **forget, **changes}
    layers = built(name, hidden=6, layers=2, input_init="glorot", **starts)
    weights = layers.state_dict()
    inputs = [weight for key, weight in weights.items() if "weight_ih" in key]
    for weight in inputs:
        limit = (6 / sum(weight.shape)) ** 0.5
        assert 0.8 * limit < float(weight.abs().max()) <= limit
    by_he = built(name, hidden=6, input_init="he", **starts)
    limit = (6 / SMALL.input_size) ** 0.5
    first = next(weight for key, weight in by_he.state_dict().items() if "weight_ih" in key)
    assert 0.8 * limit < float(first.abs().max()) <= limit
    for weight in (w for key, w in weights.items() if "weight_hh" in key):
        for block in weight.split(6):
            eye = torch.eye(6, dtype=torch.float64)
            torch.testing.assert_close(block @ block.T, eye, rtol=0, atol=1e-6)
    total = sum(float(w.sum()) for key, w in weights.items() if ".bias" in f".{key}")
    assert total == (12 if forget else 0), "6 forget gates in each of 2 layers"


@pytest.mark.parametrize("changes", [{}, {"cifg": True}])
@pytest.mark.parametrize("init", ["orthogonal", "identity"])
def test_recurrent_weights_are_set_gate_by_gate(init: str, changes: dict[str, bool]) -> None:
    """Each block is orthogonal; `orthogonal_` on the stack would make them so only together."""
    layers = built("lstm", hidden=6, init=init, **changes)
    weight = layers.cells[0].weight_hh if changes else layers.weight_hh_l0
    eye = torch.eye(6, dtype=torch.float64)
    for block in weight.split(6):
        torch.testing.assert_close(block @ block.T, eye, rtol=0, atol=1e-6)
        assert torch.equal(block, eye) == (init == "identity")


def test_irnn_starts_as_a_sum() -> None:
    """Identity, small inputs, no bias."""
    irnn = built("irnn", hidden=6)
    assert torch.equal(irnn.weight_hh_l0, torch.eye(6, dtype=torch.float64))
    assert float(irnn.weight_ih_l0.detach().abs().max()) < 0.01
    assert not irnn.bias_ih_l0.any()
    assert not irnn.bias_hh_l0.any()


@pytest.mark.parametrize(
    ("changes", "is_torchs"),
    [({}, True), ({"forget_bias": 1}, True), ({"init": "identity"}, True), ({"cifg": True}, False)],
)
def test_a_vanilla_setting_runs_torchs_kernel(changes: dict[str, object], is_torchs: bool) -> None:
    """Fast where it can be; its weights load in plain PyTorch."""
    assert isinstance(built("lstm", **changes), nn.LSTM) == is_torchs


OTHER = {"init": "orthogonal", "input_init": "glorot", "bias_init": "zeros", "forget_bias": 1.5}


@pytest.mark.parametrize(
    ("name", "key"),
    [(name, key) for name in options("model") for key in default_model(name).initial_names],
)
def test_a_key_of_initial_values_changes_nothing_else(name: str, key: str) -> None:
    """Runs that differ in it are one stack: the same weights, and the same function of them."""
    plain = built(name)
    other = built(name, **{key: OTHER[key]})
    weights = other.state_dict()
    assert any(not torch.equal(weights[k], w) for k, w in plain.state_dict().items())
    plain.load_state_dict(weights)
    assert torch.equal(plain(sequence())[0], other(sequence())[0])
