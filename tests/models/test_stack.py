"""Several runs as one batched program: each has the numbers that it has alone."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mnist_seq.config.reference import default_model
from mnist_seq.models import Classifier, build_classifier
from tests.models.variants import EVERY, SMALL, sequence

RUNS, BATCH = 3, 4
FORMS: dict[str, dict[str, Any]] = {
    "plain": {},
    "deep": {"layers": 2, "bidirectional": True, "readout": "mean", "dropout": 0.4},
}
Weights = dict[str, Tensor]


def nets(variant: str, **changes: Any) -> list[Classifier]:
    """Nets of equal shape and different weights, in float64."""
    name, options = EVERY[variant]
    model = default_model(name, hidden=3, **options, **changes)
    return [
        build_classifier(model, shape=SMALL, num_classes=10, rnn_seed=r, head_seed=r + 9).double()
        for r in range(RUNS)
    ]


def stack(all_nets: list[Classifier]) -> Weights:
    weights = [dict(net.named_parameters()) for net in all_nets]
    return {
        key: torch.stack([w[key].detach() for w in weights]).requires_grad_() for key in weights[0]
    }


def batches() -> tuple[Tensor, Tensor]:
    """Another batch for each run."""
    x = sequence(batch=RUNS * BATCH).unflatten(1, (RUNS, BATCH)).transpose(0, 1)
    return x, torch.arange(RUNS * BATCH).view(RUNS, BATCH) % 10


def generator(run: int) -> torch.Generator:
    return torch.Generator().manual_seed(100 + run)


def losses(net: Classifier, weights: Weights, noises: tuple[Tensor, ...]) -> Tensor:
    """As the stack trainer has them."""

    def loss_of(weights: Weights, x: Tensor, y: Tensor, noises: tuple[Tensor, ...]) -> Tensor:
        return F.cross_entropy(torch.func.functional_call(net, weights, (x, noises)), y)

    return torch.func.vmap(loss_of)(weights, *batches(), noises)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("variant", EVERY)
def test_a_run_of_a_stack_has_its_own_loss_and_gradients(variant: str, form: str) -> None:
    """vmap, and ordinary autograd around it; random factors included, drawn run by run."""
    all_nets = nets(variant, **FORMS[form])
    weights = stack(all_nets)
    drawn = [net.noises(SMALL.time_steps, BATCH, generator(r)) for r, net in enumerate(all_nets)]
    noises = tuple(torch.stack(each) for each in zip(*drawn, strict=True))
    stacked = losses(all_nets[0], weights, noises)
    stacked.sum().backward()
    for run, (net, x, y) in enumerate(zip(all_nets, *batches(), strict=True)):
        torch.manual_seed(100 + run)  # alone, a net draws by itself
        loss = F.cross_entropy(net(x), y)
        torch.testing.assert_close(stacked[run], loss, rtol=0, atol=1e-10)
        for name, weight in net.named_parameters():
            gradient = torch.autograd.grad(loss, weight, retain_graph=True)[0]
            found = weights[name].grad
            assert found is not None
            torch.testing.assert_close(found[run], gradient, rtol=0, atol=1e-10)


@pytest.mark.parametrize("variant", EVERY)
def test_a_run_of_a_stack_is_evaluated_as_alone(variant: str) -> None:
    """All runs on the same images, which are not copied for each."""
    all_nets = [net.eval() for net in nets(variant, **FORMS["deep"])]
    x = sequence()
    with torch.inference_mode():
        stacked = torch.func.vmap(
            lambda weights, x: torch.func.functional_call(all_nets[0], weights, (x,)),
            in_dims=(0, None),
        )(stack(all_nets), x)
        for run, net in enumerate(all_nets):
            torch.testing.assert_close(stacked[run], net(x), rtol=0, atol=1e-10)


def test_a_stack_runs_the_scan() -> None:
    """Step by step through autograd it would have the same numbers, ten times slower."""
    for name, scan in (("lstm", "LSTMScan"), ("gru", "GRUScan"), ("rnn", "RNNScan")):
        all_nets = nets(name)
        nodes, seen = [losses(all_nets[0], stack(all_nets), ()).grad_fn], set()
        while nodes:
            node = nodes.pop()
            if node is not None and node not in seen:
                seen.add(node)
                nodes += [function for function, _ in node.next_functions]
        assert sum(f"{scan}Backward" == node.name() for node in seen) == 1
