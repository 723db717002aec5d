"""Nets of different width in one stack."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mnist_seq.config.reference import default_model
from mnist_seq.config.schema import Model
from mnist_seq.models import Classifier, Shape, build_classifier
from mnist_seq.models.padding import resized, stays_zero
from tests.models.variants import EVERY

SHAPE, BATCH, WIDTHS, STEPS = Shape(6, 2), 4, (3, 5, 8), 3
DEEP: dict[str, Any] = {"layers": 2, "bidirectional": True, "dropout": 0.3}
PADDED = [
    key for key, (name, changes) in EVERY.items() if stays_zero(default_model(name, **changes))
]


def net_of(model: Model) -> Classifier:
    return build_classifier(model, shape=SHAPE, num_classes=10, rnn_seed=1, head_seed=2).double()


def batches(seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(SHAPE.time_steps, BATCH, SHAPE.input_size, generator=generator).double()
    return x, torch.arange(BATCH) + seed


def adam(weights: list[Tensor]) -> torch.optim.Optimizer:
    return torch.optim.AdamW(weights, lr=0.05, weight_decay=0.1)


@pytest.mark.parametrize("variant", PADDED)
def test_padded_nets_train_as_alone(variant: str) -> None:
    """Units that are not there stay at exactly 0, and the others do not notice them."""
    name, options = EVERY[variant]
    models = [default_model(name, hidden=width, **options, **DEEP) for width in WIDTHS]
    alone = [net_of(model) for model in models]
    wide = alone[-1]
    shapes = {key: weight.shape for key, weight in wide.named_parameters()}
    stacked = {
        key: torch.stack([
            resized(dict(net.named_parameters())[key].detach(), shape, hidden=w, to=WIDTHS[-1])
            for net, w in zip(alone, WIDTHS, strict=True)
        ]).requires_grad_()
        for key, shape in shapes.items()
    }  # fmt: skip
    optimizer = adam(list(stacked.values()))
    optimizers = [adam(list(net.parameters())) for net in alone]
    for step in range(STEPS):
        x, y = batches(step)
        drawn = [net.noises(*x.shape[:2], torch.Generator().manual_seed(step)) for net in alone]
        padded = [
            torch.stack([
                resized(noise, each[-1].shape, hidden=w, to=WIDTHS[-1])
                for noise, w in zip(each, WIDTHS, strict=True)
            ])
            for each in zip(*drawn, strict=True)
        ]  # fmt: skip

        def loss_of(weights: dict[str, Tensor], noises: list[Tensor], x=x, y=y) -> Tensor:  # type: ignore[no-untyped-def]
            return F.cross_entropy(torch.func.functional_call(wide, weights, (x, tuple(noises))), y)

        optimizer.zero_grad()
        torch.func.vmap(loss_of)(stacked, padded).sum().backward()
        optimizer.step()
        for net, noises, each in zip(alone, drawn, optimizers, strict=True):
            each.zero_grad()
            F.cross_entropy(net(x, noises), y).backward()
            each.step()
    for run, (net, width) in enumerate(zip(alone, WIDTHS, strict=True)):
        for key, weight in net.named_parameters():
            found = stacked[key][run].detach()
            cut = resized(found, weight.shape, hidden=WIDTHS[-1], to=width)
            torch.testing.assert_close(cut, weight.detach(), rtol=0, atol=1e-10)
            again = resized(cut, found.shape, hidden=width, to=WIDTHS[-1])
            assert torch.equal(again, found), f"{key}: a padded unit has left 0"


def test_a_unit_of_another_cell_may_not_stay_at_zero() -> None:
    """Padding is refused where it would change the numbers."""
    assert not stays_zero(default_model("lstm", layer_norm=True))
    assert not stays_zero(default_model("lstm", full_gate_recurrence=True))
    assert not stays_zero(default_model("mgu"))
