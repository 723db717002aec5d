"""What a classifier reads of its recurrent layers."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

from mnist_seq.config.reference import default_model
from mnist_seq.models import Shape, build_classifier
from mnist_seq.training.loop.start import freeze


def test_flat_reads_all_outputs_as_the_authors_of_mnist1d_do() -> None:
    """Their GRU: hidden 6, both directions, 40 x 12 outputs into one linear layer."""
    model = default_model("gru", hidden=6, bidirectional=True, readout="flat")
    classifier = build_classifier(
        model, shape=Shape(40, 1), num_outputs=10, rnn_seed=0, head_seed=0
    ).double()
    assert sum(p.numel() for p in classifier.parameters()) == 5_134
    gru = nn.GRU(1, 6, batch_first=True, bidirectional=True).double()
    gru.load_state_dict(classifier.rnn.state_dict())
    linear = nn.Linear(480, 10).double()
    linear.load_state_dict(classifier.head.state_dict())
    x = torch.randn(40, 7, 1, dtype=torch.float64)
    outputs, _ = gru(x.transpose(0, 1))
    torch.testing.assert_close(classifier(x), linear(outputs.reshape(7, -1)))


@pytest.mark.parametrize("readout", ["last", "last_step", "mean", "flat"])
def test_each_readout_learns_from_the_first_time_step(readout: str) -> None:
    """A read-out that dropped a direction or a step would still train."""
    model = default_model("lstm", hidden=3, bidirectional=True, readout=readout)
    classifier = build_classifier(model, shape=Shape(5, 2), num_outputs=4, rnn_seed=0, head_seed=1)
    x = torch.randn(5, 2, 2, requires_grad=True)
    classifier(x).sum().backward()
    assert x.grad is not None
    assert (x.grad != 0).all()


def test_what_is_around_the_layers_is_what_its_keys_say() -> None:
    """In plain torch: projection, torch's LSTM, out[:, -1], norm, hidden layers, answer."""
    model = default_model(
        "lstm", hidden=3, layers=2, bidirectional=True, readout="last_step", projection=4,
        readout_norm="layer", head=(5, 2), head_activation="tanh", dropout=0.5,
    )  # fmt: skip
    net = build_classifier(model, shape=Shape(5, 2), num_outputs=4, rnn_seed=0, head_seed=1).eval()
    lstm = nn.LSTM(4, 3, num_layers=2, bidirectional=True, batch_first=True)
    lstm.load_state_dict(net.rnn.state_dict())
    x = torch.randn(7, 5, 2)
    assert net.projection is not None
    assert net.norm is not None
    read = net.norm(lstm(net.projection(x))[0][:, -1])
    first, second, last = (m for m in net.head.modules() if isinstance(m, nn.Linear))
    wanted = last(second(first(read).tanh()).tanh())
    torch.testing.assert_close(net(x.transpose(0, 1)), wanted, rtol=1e-5, atol=1e-6)
    assert (first.in_features, first.out_features, second.out_features) == (6, 5, 2)


def test_batch_norm_is_torchs_and_counts_in_training_alone() -> None:
    """In evaluation no example sees its batch; a frozen norm counts none."""
    model = default_model("lstm", hidden=3, readout_norm="batch")
    net = build_classifier(model, shape=Shape(5, 2), num_outputs=4, rnn_seed=0, head_seed=1)
    lstm, norm, x = nn.LSTM(2, 3), nn.BatchNorm1d(3), torch.randn(5, 6, 2)
    lstm.load_state_dict(net.rnn.state_dict())
    for _ in range(2):
        wanted = net.head(norm(lstm(x)[0][-1]))
        torch.testing.assert_close(net(x), wanted, rtol=1e-5, atol=1e-6)
    assert net.norm is not None
    torch.testing.assert_close(net.norm.state_dict(), norm.state_dict(), rtol=1e-5, atol=1e-6)
    net.eval()
    torch.testing.assert_close(net(x)[:1], net(x[:, :1]), rtol=1e-5, atol=1e-6)
    counted = copy.deepcopy(net.norm.state_dict())
    freeze(net, ["norm.*"])
    net.train()(x)
    torch.testing.assert_close(net.norm.state_dict(), counted, rtol=0, atol=0)


def test_layers_of_unequal_widths_are_torchs_one_after_the_other() -> None:
    """Of 4 and of 3 units in both directions; a mask of the dropout is as wide as what it meets."""
    around: dict[str, Any] = {"hidden": 3, "layers": 2, "below": (4,), "bidirectional": True}
    model = default_model("lstm", **around, dropout=0.5)
    net = build_classifier(model, shape=Shape(5, 2), num_outputs=4, rnn_seed=0, head_seed=1)
    assert [tuple(mask.shape) for mask in net.noises(5, 7)] == [(5, 7, 8), (7, 6)]
    first, second = nn.LSTM(2, 4, bidirectional=True), nn.LSTM(8, 3, bidirectional=True)
    weights = net.rnn.state_dict()
    for k, lstm in enumerate((first, second)):
        start = f"layers.{k}."
        lstm.load_state_dict(
            {n.removeprefix(start): w for n, w in weights.items() if n.startswith(start)}
        )
    x, mask = torch.randn(5, 7, 2), torch.randn(5, 7, 8)
    h = second(first(x)[0] * mask)[1][0]
    wanted = net.head(torch.cat((h[0], h[1]), dim=-1) * 2)
    for is_training in (True, False):
        found = net.train(is_training)(x, (mask, torch.full((7, 6), 2.0)))
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)
    one = model.model_copy(update={"bidirectional": False})
    whole, cut = (
        build_classifier(
            one, shape=Shape(5, 2), num_outputs=4, rnn_seed=0, head_seed=1, tbptt=tbptt
        )
        for tbptt in (5, 2)
    )
    torch.testing.assert_close(cut(x, ()), whole(x, ()), rtol=1e-5, atol=1e-6)


def test_dropout_falls_where_it_is_asked_for() -> None:
    """Between two layers there is one mask; today's place has another, before the head."""
    shapes = {}
    for place in ("all", "between"):
        model = default_model("gru", hidden=3, layers=2, dropout=0.5, dropout_at=place)
        net = build_classifier(model, shape=Shape(5, 2), num_outputs=4, rnn_seed=0, head_seed=1)
        shapes[place] = [tuple(mask.shape) for mask in net.train().noises(5, 7)]
        gru = nn.GRU(2, 3, num_layers=2, dropout=0.5)
        gru.load_state_dict(net.rnn.state_dict())
        x = torch.randn(5, 7, 2)
        if place == "between":
            torch.manual_seed(3)
            wanted = net.head(gru(x)[0][-1])
            torch.manual_seed(3)
            torch.testing.assert_close(net(x), wanted, rtol=1e-4, atol=1e-6)
    assert shapes == {"all": [(5, 7, 3), (7, 3)], "between": [(5, 7, 3)]}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"head_activation": "gelu"}, "choose model.head=[32]"),
        ({"dropout": 0.2, "dropout_at": "between"}, "drops nothing of model.layers=1"),
        ({"dropout_at": "between", "block": "residual"}, "blocks drop out inside"),
        ({"below": (8,), "layers": 2, "block": "residual"}, "all blocks are equally wide"),
        ({"below": (8,)}, "model.below=[8] model.layers=1; choose model.layers=2"),
        ({"below": (8, 4)}, "or model.layers=2 model.below=[8] model.hidden=4"),
    ],
)
def test_what_would_do_nothing_is_refused(changes: dict[str, Any], why: str) -> None:
    assert why in default_model("gru", **changes).problem()


def test_heads_divide_every_width() -> None:
    own = {"heads": 3, "hidden": 6, "layers": 2, "below": (8,), "block": "none"}
    assert "multiples of 3, as model.hidden: model.below=[8]; choose model.below=[9]" in (
        default_model("mlstm", **own).problem()
    )
