"""Updates are those of `torch.optim`."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from mnist_seq.native import Layout, Library, Net, Rule
from tests.conftest import needs_compiler
from tests.native.nets import Case, forward

pytestmark = needs_compiler

CASE = Case(Layout("gru", 3, 7, 1, 4), batch=9, time_steps=4)
RATE = 0.01
FACTORS = [1.0, 0.5, 1.0, 1.0, 2.0, 1.0]
DECAYS = [0.1, 0.1, 0.0, 0.0, 0.1, 0.0]
BETAS = {"beta1": 0.8, "beta2": 0.97, "eps": 1e-6}
RULES = [
    Rule("adam", BETAS),
    Rule("adamw", BETAS),
    Rule("sgd"),
    Rule("sgd", {"momentum": 0.9, "dampening": 0.1}),
    Rule("sgd", {"momentum": 0.9, "nesterov": True}),
    Rule("rmsprop", {"alpha": 0.9, "eps": 1e-6}),
    Rule("rmsprop", {"alpha": 0.9, "eps": 1e-3, "momentum": 0.5, "centered": True}),
    Rule("rmsprop", {"alpha": 0.9, "eps": 1e-3, "centered": True}),
]


def by_torch(
    rule: Rule, num_steps: int, clip_norm: float
) -> tuple[list[torch.Tensor], list[dict[str, Any]]]:
    """The weights after some steps of torch in float64, and the optimizer's state of each."""
    weights = [nn.Parameter(weight.double()) for weight in CASE.weights()]
    options: dict[str, Any] = dict(rule.settings)
    if "beta1" in options:
        options["betas"] = (options.pop("beta1"), options.pop("beta2"))
    groups = [
        {"params": [weight], "lr": RATE * factor, "weight_decay": decay}
        for weight, factor, decay in zip(weights, FACTORS, DECAYS, strict=True)
    ]
    kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD,
             "rmsprop": torch.optim.RMSprop}  # fmt: skip
    optimizer = kinds[rule.name](groups, **options)
    x, y, _ = CASE.batch_of()
    for _ in range(num_steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(forward(CASE.layout, weights, x.double(), ()), y).backward()  # type: ignore[no-untyped-call, arg-type]
        if not math.isinf(clip_norm):
            nn.utils.clip_grad_norm_(weights, clip_norm)
        optimizer.step()
    return [weight.detach() for weight in weights], [optimizer.state[w] for w in weights]


@pytest.mark.parametrize("clip_norm", [float("inf"), 0.05])
@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_weights_and_state_are_those_of_torch(
    native_library: Library, rule: Rule, clip_norm: float
) -> None:
    wanted, states = by_torch(rule, 4, clip_norm)
    weights = CASE.weights()
    net = Net(
        native_library, CASE.layout, Rule(rule.name, rule.settings, clip_norm), weights, FACTORS,
        DECAYS,
    )  # fmt: skip
    _, y, _ = CASE.batch_of()
    for _ in range(4):
        net.step(CASE.source(), None, y, RATE)
    for found, want in zip(weights, wanted, strict=True):
        torch.testing.assert_close(found.double(), want, rtol=1e-4, atol=2e-6)
    for name, found_of in net.state.items():
        for found, state in zip(found_of, states, strict=True):
            torch.testing.assert_close(found.double(), state[name], rtol=1e-4, atol=2e-7)
    left_out = {"step"} | set(net.state)
    assert not {key for key, value in states[0].items() if value is not None} - left_out
    assert net.num_steps == 4


def test_a_small_gradient_is_not_clipped_and_nan_is_not_hidden(native_library: Library) -> None:
    """A run whose gradient is not a number must end as diverged."""
    _, y, _ = CASE.batch_of()
    after = []
    for clip_norm in (float("inf"), 1e9):
        weights = CASE.weights()
        rule = Rule("sgd", clip_norm=clip_norm)
        net = Net(native_library, CASE.layout, rule, weights, [1.0] * 6, [0.0] * 6)
        net.step(CASE.source(), None, y, RATE)
        after.append(weights)
    assert all(torch.equal(a, b) for a, b in zip(*after, strict=True))
    for value in (float("nan"), float("inf")):
        weights = CASE.weights()
        weights[0][0, 0] = value
        rule = Rule("sgd", clip_norm=1.0)
        net = Net(native_library, CASE.layout, rule, weights, [1.0] * 6, [0.0] * 6)
        net.step(CASE.source(), None, y, RATE)
        net.step(CASE.source(), None, y, RATE)
        assert not math.isfinite(float(net.loss_sum)) or math.isinf(value)
        assert not all(bool(w.isfinite().all()) for w in weights)
