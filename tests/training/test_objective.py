"""Losses, metrics and read-outs of every kind of answer, against plain NumPy; stacks too."""

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mnist_seq.models import Shape, build_classifier
from mnist_seq.tasks import Spec, Task
from mnist_seq.tasks.batches.batch import Batch
from mnist_seq.tasks.batches.split import split
from mnist_seq.tasks.batches.task_data import TaskData
from mnist_seq.tasks.examples import Examples, Part, best_constant, checked
from mnist_seq.tasks.spec import metrics_of
from mnist_seq.training.batched.stack import Stack
from mnist_seq.training.loop.evaluation import Evaluation, evaluate
from mnist_seq.training.loop.logbook import Learner
from mnist_seq.training.loop.objective import mean_loss
from mnist_seq.training.loop.program import Single
from tests.training.learners import BATCH, NUM_TRAIN, advance, make_learner

T, N, D = 7, NUM_TRAIN + 6, 3
KINDS: dict[str, Spec] = {
    "class": Spec("vector", D, "class", 4, T),
    "class, varied": Spec("vector", D, "class", 4, T, varied=True),
    "class a step": Spec("token", D, "class", 4, T, per_step=True),
    "class a step, varied": Spec("token", D, "class", 4, T, per_step=True, varied=True),
    "bits": Spec("vector", D, "bits", 2, T),
    "bits a step": Spec("vector", D, "bits", 2, T, per_step=True),
    "one value": Spec("vector", D, "value", 1, T),
    "values a step": Spec("vector", D, "value", 2, T, per_step=True),
}


def part(spec: Spec, *, seed: int, has_mask: bool) -> Part:
    rng = np.random.RandomState(seed)
    x = rng.randint(D, size=(N, T)) if spec.input == "token" else rng.rand(N, T, D)
    each = (N, *(T,) * spec.per_step)
    y: Any = rng.randint(spec.num_outputs, size=each)
    if spec.output != "class":
        y = rng.rand(*each, spec.num_outputs)
        y = (y > 0.4) if spec.output == "bits" else y
    mask = rng.rand(N, T) < 0.5
    mask[:, 0] = True
    return Part(
        x.astype(np.int64 if spec.input == "token" else np.float32),
        y.astype(np.int64 if spec.output == "class" else np.float32),
        rng.randint(1, T + 1, size=N).astype(np.int64) if spec.varied else None,
        mask if has_mask and spec.per_step else None,
    )


class Made(Task):
    """A task of some kind, on random numbers."""

    title, num_train, num_test = "Made", N, N

    def __init__(self, settings: Any, spec: Spec) -> None:
        super().__init__(settings)
        self._spec = spec

    @property
    def spec(self) -> Spec:
        return self._spec


def learner_of(spec: Spec, *words: str, has_mask: bool = True) -> Learner:
    base = make_learner(*words)
    task = Made(base.config.data, spec)
    examples = Examples(*(part(spec, seed=s, has_mask=has_mask) for s in (0, 1)))
    sizes = {"training set": N, "test set": N}
    data = TaskData(
        task,
        checked(examples, spec, sizes, "made"),
        split=split(N, valid=6, limit=None, generator_seed=base.config.seed),
        device=torch.device("cpu"),
    )
    model = build_classifier(
        base.config.model,
        shape=Shape(T, D),
        num_outputs=spec.num_outputs,
        per_step=spec.per_step,
        rnn_seed=base.config.seed,
        head_seed=base.config.seed + 1,
    )
    return Learner(base.config, data, model, torch.Generator().manual_seed(base.config.seed))


def counted(spec: Spec, outputs: Tensor, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    """Outputs [C, K] and targets of the answers that count, one after the other."""
    out, y = outputs.detach().double().numpy(), batch.y.numpy()
    if not spec.per_step:
        return out, y
    mask = np.ones(y.shape[:2], dtype=bool) if batch.mask is None else batch.mask.numpy()
    return out[mask], y[mask]


def expected_loss(spec: Spec, out: np.ndarray, y: np.ndarray) -> float:
    if spec.output == "class":
        logs = out - np.log(np.exp(out).sum(axis=-1, keepdims=True))
        return float(-logs[np.arange(len(y)), y].mean())
    if spec.output == "bits":
        p = 1 / (1 + np.exp(-out))
        return float(-(y * np.log(p) + (1 - y) * np.log(1 - p)).mean())
    return float(((out - y) ** 2).mean())


@pytest.mark.parametrize("has_mask", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_loss_and_metrics_are_those_of_the_counted_answers(kind: str, has_mask: bool) -> None:
    """One mean over all of them, however the part is cut into batches."""
    spec = KINDS[kind]
    learner = learner_of(spec, has_mask=has_mask)
    whole = next(learner.data.batches("test", N))
    outputs = learner.model.eval()(whole.x, (), whole.lengths).detach()
    out, y = counted(spec, outputs, whole)
    loss = expected_loss(spec, out, y)
    assert float(mean_loss(spec, outputs, whole)) == pytest.approx(loss, rel=1e-5)
    (found,) = Single(learner, None).evaluate("test")
    assert found.metrics.keys() == metrics_of(spec.output, per_step=spec.per_step).keys()
    assert found.loss == pytest.approx(loss, rel=1e-5)
    if spec.output == "class":
        assert found.metrics["accuracy"] == pytest.approx((out.argmax(-1) == y).mean())
    elif spec.output == "bits":
        assert found.metrics["accuracy"] == pytest.approx(((out > 0) == (y > 0.5)).mean())
    else:
        assert found.metrics["mse"] == found.loss
        assert found.metrics["mae"] == pytest.approx(np.abs(out - y).mean(), rel=1e-5)
        spread = y.reshape(len(y), -1).astype(np.float64).var(axis=0).mean()
        assert found.metrics["r2"] == pytest.approx(1 - loss / spread, abs=1e-5)
    if "sequence_accuracy" in found.metrics:
        right = found.predictions.numpy() == learner.data.labels("test").numpy()
        if spec.per_step:
            mask = learner.data.mask("test")
            is_out = np.zeros((N, T), dtype=bool) if mask is None else ~mask.numpy()
            right |= is_out if spec.output == "class" else is_out[..., None]
        whole_right = right.reshape(N, -1).all(axis=1).mean()
        assert found.metrics["sequence_accuracy"] == pytest.approx(whole_right)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stack_trains_as_its_runs_do_alone(kind: str) -> None:
    """Masks and lengths are those of each run's own batch."""
    spec = KINDS[kind]
    words = [[f"seed={seed}", "optimizer.lr=0.02", "model=gru"] for seed in (0, 1, 2)]
    alone = [Single(learner_of(spec, *own), None) for own in words]
    learners = [learner_of(spec, *own) for own in words]
    stack = Stack(learners, [None] * 3)
    configs = [learner.config for learner in learners]
    steps = range(2 * -(-NUM_TRAIN // BATCH))
    advance(stack, configs, steps)
    for single, config in zip(alone, configs, strict=True):
        advance(single, [config], steps)
    for part_name in ("valid", "test"):
        together = stack.evaluate(part_name)  # type: ignore[arg-type]
        for one, found in zip(alone, together, strict=True):
            (expected,) = one.evaluate(part_name)  # type: ignore[arg-type]
            for name, value in expected.metrics.items():
                assert found.metrics[name] == pytest.approx(value, abs=2e-4), name
    for one, total in zip(alone, stack.loss_sums.tolist(), strict=True):
        assert total == pytest.approx(float(one.loss_sums), rel=1e-4)


@pytest.mark.parametrize("name", ["lstm", "mgu"])
def test_padding_behind_a_sequence_changes_nothing(name: str) -> None:
    """Read at the padded end, two points of accuracy are lost without an error."""
    spec = KINDS["class, varied"]
    learner = learner_of(spec, f"model={name}")
    batch = next(learner.data.batches("test", N))
    assert batch.lengths is not None
    outputs = learner.model.eval()(batch.x, (), batch.lengths)
    for b, length in enumerate(batch.lengths.tolist()):
        alone = learner.model(batch.x[:length, b : b + 1], ())
        torch.testing.assert_close(outputs[b : b + 1], alone, rtol=1e-5, atol=1e-6)


def test_a_guess_is_the_best_constant() -> None:
    """What it gets is known: entropies, shares, variances."""
    y = np.array([0, 0, 0, 1], dtype=np.int64)
    x = np.zeros((4, T, D), dtype=np.float32)
    found = best_constant(Part(x, y), Spec("vector", D, "class", 2, T))
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert found == pytest.approx({"accuracy": 0.75, "loss": entropy})
    value = best_constant(Part(x, y[:, None].astype(np.float32)), Spec("vector", D, "value", 1, T))
    assert value == pytest.approx({"mse": 0.1875, "mae": 0.25, "r2": 0.0, "loss": 0.1875})
    steps = np.array([[0, 1]] * 3 + [[0, 0]], dtype=np.int64)  # the first step is always right
    per_step = Spec("vector", D, "class", 2, 2, per_step=True)
    assert best_constant(Part(x, steps), per_step)["accuracy"] == pytest.approx((1 + 0.75) / 2)


def spoilt(spec: Spec, **changes: Any) -> Part:
    made = copy.copy(part(spec, seed=0, has_mask=True))
    for name, value in changes.items():
        object.__setattr__(made, name, value)
    return made


A_CLASS, A_VALUE, A_STEP = KINDS["class"], KINDS["one value"], KINDS["class a step"]
OF_EACH = np.zeros((N, T), dtype=bool)


@pytest.mark.parametrize(
    ("spec", "changes", "says"),
    [
        (A_CLASS, {"y": np.ones(N, np.int64) * 4}, "y must be classes 0 to 3: found 4 to 4"),
        (A_CLASS, {"y": np.full(N, -100)}, "y must be classes 0 to 3"),
        (A_CLASS, {"y": np.zeros(N, np.int32)}, "y must be int64"),
        (A_CLASS, {"y": np.zeros((N, 4), np.float32)}, "y must be int64"),
        (A_CLASS, {"x": np.full((N, T, D), np.nan, np.float32)}, "x must hold finite numbers"),
        (A_CLASS, {"x": np.zeros((N - 1, T, D), np.float32)}, "x must hold the 28 examples"),
        (A_CLASS, {"lengths": np.ones(N, np.int64)}, "lengths must be given where Spec.varied"),
        (A_VALUE, {"y": np.zeros((N, 2), np.float32)}, "y must be float32 of shape"),
        (A_STEP, {"mask": OF_EACH}, "mask must count a time step or more of each sequence"),
        (A_STEP, {"x": np.full((N, T), D)}, "x must be tokens 0 to 2"),
        (KINDS["class, varied"], {"lengths": np.zeros(N, np.int64)}, "lengths must be 1 to 7"),
    ],
)
def test_examples_that_are_not_what_the_spec_says_are_refused(
    spec: Spec, changes: dict[str, Any], says: str
) -> None:
    """torch broadcasts, wraps or skips most of these without a word."""
    whole = Examples(spoilt(spec, **changes), part(spec, seed=1, has_mask=False))
    with pytest.raises(ValueError, match=says) as refusal:
        checked(whole, spec, {"training set": N, "test set": N}, "made")
    assert str(refusal.value).startswith("data=made, training set: ")
    assert "\n" not in str(refusal.value)


def test_batches_weigh_by_what_they_count() -> None:
    """The mean over a part is that of its counted steps, not of its batches."""
    spec = KINDS["class a step"]
    learner = learner_of(spec)
    model = learner.model.eval()

    def outputs_of(batch: Batch) -> Tensor:
        return model(batch.x[0], ()).unsqueeze(0)

    def cut(size: int) -> Evaluation:
        batches = learner.data.batches("test", size)
        each = (Batch(b.x[None], b.y[None], None, b.mask[None]) for b in batches)  # type: ignore[index]
        return evaluate(outputs_of, each, spec)[0]

    for name, value in cut(N).metrics.items():
        assert cut(5).metrics[name] == pytest.approx(value, rel=1e-5)
