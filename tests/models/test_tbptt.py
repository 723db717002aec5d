"""Truncated back-propagation through time."""

from typing import Any, Literal

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mnist_seq.config.reference import default_model
from mnist_seq.models import Classifier, Shape, build_classifier
from tests.conftest import some
from tests.models.variants import EVERY, RECURRENT, sequence, small_model

SHAPE = Shape(7, 2)
LABELS = torch.tensor([1, 2, 3])
FORMS: dict[str, dict[str, Any]] = {
    "last": {},
    "mean of two layers": {"layers": 2, "dropout": 0.4, "readout": "mean"},
}


def net(
    variant: str, form: str, tbptt: int | Literal["none"], *, seed: int = 1, **changes: Any
) -> Classifier:
    name, options = EVERY[variant]
    model = small_model(name, hidden=3, **options, **FORMS[form], **changes)
    built = build_classifier(
        model, shape=SHAPE, num_outputs=10, rnn_seed=seed, head_seed=seed, tbptt=tbptt
    )
    return built.double()


def noises(classifier: Classifier, seed: int = 3) -> tuple[Tensor, ...]:
    return classifier.noises(SHAPE.time_steps, 3, torch.Generator().manual_seed(seed))


def by_hand(classifier: Classifier, x: Tensor, drawn: tuple[Tensor, ...], tbptt: int) -> Tensor:
    """Loss of a loop over the time steps, cut each time that many, counted from the end."""
    of_rnn, of_head = (drawn[:-1], drawn[-1]) if classifier.dropout else (drawn, torch.ones(()))
    state: Any = None
    outputs = []
    for t in range(len(x)):
        if state is not None and (len(x) - t) % tbptt == 0:
            state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
        noise = tuple(n if len(n) == 1 else n[t : t + 1] for n in of_rnn)
        found, state = classifier.rnn(x[t : t + 1], state, noise)
        outputs.append(found[0])
    features = torch.stack(outputs).mean(0) if classifier.readout == "mean" else outputs[-1]
    return F.cross_entropy(classifier.head(features * of_head), LABELS)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("variant", some(RECURRENT, 12))
def test_gradients_stop_where_they_should(variant: str, form: str) -> None:
    """Equal to a plain loop, time step by time step, that detaches the state; 7 is 1 + 2 * 3."""
    classifier, x = net(variant, form, 3), sequence(SHAPE)
    drawn = noises(classifier)
    loss = F.cross_entropy(classifier(x, drawn), LABELS)
    expected = by_hand(classifier, x, drawn, 3)
    torch.testing.assert_close(loss, expected, rtol=0, atol=1e-12)
    weights = list(classifier.parameters())
    found = torch.autograd.grad(loss, weights)
    for a, b in zip(found, torch.autograd.grad(expected, weights), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)
    whole = torch.autograd.grad(by_hand(classifier, x, drawn, 7), weights)
    assert any(not torch.allclose(a, b) for a, b in zip(found, whole, strict=True))


@pytest.mark.parametrize("name", ["lstm", "gru", "rnn", "mgu"])
def test_a_stack_is_truncated_too(name: str) -> None:
    """Each run of it has the gradients that it has alone."""
    nets = [net(name, "mean of two layers", 3, seed=seed) for seed in (1, 2)]
    named = [dict(each.named_parameters()) for each in nets]
    weights = {
        key: torch.stack([each[key].detach() for each in named]).requires_grad_()
        for key in named[0]
    }
    drawn = [noises(each, seed) for seed, each in enumerate(nets)]
    x = sequence(SHAPE)
    losses = torch.func.vmap(
        lambda weights, drawn: F.cross_entropy(
            torch.func.functional_call(nets[0], weights, (x, drawn)), LABELS
        )
    )(weights, tuple(torch.stack(each) for each in zip(*drawn, strict=True)))
    losses.sum().backward()
    for run, each in enumerate(nets):
        F.cross_entropy(each(x, drawn[run]), LABELS).backward()
        for key, weight in each.named_parameters():
            found = weights[key].grad
            assert found is not None
            assert weight.grad is not None
            torch.testing.assert_close(found[run], weight.grad, rtol=0, atol=1e-12)


@pytest.mark.parametrize("tbptt", [7, 1000])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["lstm", "gru", "mgu"])
def test_a_cut_behind_the_start_changes_nothing(name: str, form: str, tbptt: int) -> None:
    """Bit for bit the run that is not truncated."""
    results = []
    for cut in ("none", tbptt):
        classifier = net(name, form, cut)  # type: ignore[arg-type]
        loss = F.cross_entropy(classifier(sequence(SHAPE), noises(classifier)), LABELS)
        results.append([loss, *torch.autograd.grad(loss, list(classifier.parameters()))])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_evaluation_is_not_truncated() -> None:
    """The same weights, the same logits, whatever they were trained with."""
    cut, whole = (net("gru", "last", tbptt).eval() for tbptt in (3, "none"))  # type: ignore[arg-type]
    assert torch.equal(cut(sequence(SHAPE)), whole(sequence(SHAPE)))


@pytest.mark.parametrize("name", ["lstm", "gru", "rnn", "mgu"])
def test_memory_goes_by_the_cut(name: str) -> None:
    """What autograd keeps at read-out last: for 10 of 200 time steps, a tenth or less."""
    kept = []
    for tbptt in ("none", 10):
        classifier = build_classifier(
            default_model(name, hidden=8), shape=Shape(200, 1), num_outputs=10,
            rnn_seed=0, head_seed=0, tbptt=tbptt,  # type: ignore[arg-type]
        )  # fmt: skip
        sizes: dict[int, int] = {}

        def keep(tensor: Tensor, sizes: dict[int, int] = sizes) -> Tensor:
            storage = tensor.untyped_storage()
            sizes[storage.data_ptr()] = storage.nbytes()
            return tensor

        x = torch.rand(200, 50, 1)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = F.cross_entropy(classifier(x), torch.zeros(50, dtype=torch.long))
        loss.backward()  # type: ignore[no-untyped-call]
        kept.append(sum(sizes.values()) - x.nbytes)
    assert kept[1] < kept[0] / 10
