"""A net outside of this package: ONNX, `torch.export`, `torch.compile`, copies, gradients, hooks.

Every cell and every option is taken up by itself, since `EVERY` scans `conf/model/`.
"""

import copy
import io
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mnist_seq.models import Classifier, Shape, build_classifier
from tests.conftest import ROOT, clean_env
from tests.models.variants import CELLS, EVERY, small_model

SHAPE = Shape(5, 2)
AROUND: dict[str, tuple[str, dict[str, Any]]] = {
    f"{name}, {how}": (name, changes)
    for name in ("lstm", "gru", "mgu", "mlstm", "ssd", "s4d", "transformer")
    for how, changes in {
        "both directions": {"layers": 2, "bidirectional": True},
        "unequal": {"layers": 2, "below": (6,), "block": "none"},
        "mean": {"readout": "mean"},
        "flat": {"readout": "flat"},
        "head": {
            "head": (4, 3), "head_activation": "gelu", "projection": 3, "readout_norm": "layer",
        },
        "last step": {"readout": "last_step", "bidirectional": True},
        "blocks, rms": {
            "block": "residual", "norm": "rms", "after": "mlp", "conv": 4, "layers": 2,
        },
        "blocks, layer": {
            "block": "residual", "norm": "layer", "after": "glu", "bidirectional": True,
            "readout": "mean",
        },
    }.items()
} | {"gru, batch norm": ("gru", {"readout_norm": "batch", "head": (4,)})} | {
    f"{name}, one bias": (name, {"bias": "one"} | changes)
    for name, changes in {"lstm": {"layers": 2}, "gru": {"reset": "before"}, "lem": {}}.items()
}  # fmt: skip
ALL = EVERY | AROUND
FAST = ("gru", "irnn", "lru", "gru, blocks, rms", "gru, batch norm")
pytestmark = [
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),  # of torch's exporters about themselves
]


def net(variant: str, **changes: Any) -> Classifier:
    """A classifier in evaluation mode, in float32 as those of runs."""
    name, options = ALL[variant]
    model = build_classifier(
        small_model(name, hidden=3, **options, **changes),
        shape=SHAPE,
        num_outputs=3,
        rnn_seed=2,  # at which no unit is dead in all examples
        head_seed=1,
    )
    if isinstance(model.norm, nn.BatchNorm1d):
        model(batch(6), ())  # statistics that are not those of the start
    return model.eval()


def batch(size: int) -> Tensor:
    generator = torch.Generator().manual_seed(size)
    return torch.randn(SHAPE.time_steps, size, SHAPE.input_size, generator=generator)


def by_onnx(file: bytes, x: Tensor) -> Tensor:
    """What ONNX Runtime answers."""
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    return torch.from_numpy(answer)


def check(model: Classifier, taken: Callable[[Tensor], Tensor]) -> None:
    """The numbers are those of the net, for one example and for more than were exported."""
    for size in (4, 1):
        x = batch(size)
        wanted = model(x).detach()
        torch.testing.assert_close(taken(x), wanted, rtol=1e-4, atol=1e-5)
        assert size == 1 or (wanted[0] - wanted[1]).abs().max() > 1e-4, "it answers alike"


@pytest.mark.parametrize(
    "variant",
    [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in ALL],
)
def test_onnx_reads_what_the_net_reads(variant: str) -> None:
    """With gradients on, as people have them: a GRU read 10 % where the run read 82 %."""
    model, file = net(variant), io.BytesIO()
    axes = {"x": {1: "batch"}}
    torch.onnx.export(
        model, (batch(2),), file, dynamo=False, input_names=["x"], dynamic_axes=axes
    )  # fmt: skip
    check(model, lambda x: by_onnx(file.getvalue(), x))


@pytest.mark.slow
@pytest.mark.parametrize("variant", [*CELLS, "gru, blocks, rms", "lstm, both directions"])
def test_onnx_by_the_new_exporter_reads_what_the_net_reads(variant: str) -> None:
    model, file = net(variant), io.BytesIO()
    program = torch.onnx.export(
        model,
        (batch(2),),
        dynamo=True,
        dynamic_shapes=({1: torch.export.Dim("batch")},),
        verbose=False,
    )
    assert program is not None
    program.save(file)
    check(model, lambda x: by_onnx(file.getvalue(), x))


@pytest.mark.slow
@pytest.mark.parametrize("variant", [*CELLS, *list(AROUND)[::3]])
def test_an_exported_program_reads_what_the_net_reads(variant: str) -> None:
    """No batch size is one of the values 0 and 1, for which `torch.export` makes a program each."""
    model = net(variant)
    program = torch.export.export(
        model, (batch(2),), dynamic_shapes=({1: torch.export.Dim("batch")},)
    ).module()
    for size in (3, 4):
        x = batch(size)
        torch.testing.assert_close(program(x), model(x), rtol=1e-4, atol=1e-5)


COMPILE = """
import sys, warnings
import torch
from tests.models.variants import small_model
from mnist_seq.models import Shape, build_classifier

warnings.simplefilter("ignore")  # of torch's compiler about itself
backend, *cells = sys.argv[1:]
for cell in cells:
    torch._dynamo.reset()
    torch.manual_seed(0)
    model = build_classifier(small_model(cell, hidden=3), shape=Shape(4, 2), num_outputs=3,
                             rnn_seed=2, head_seed=1).eval()
    x, weights = torch.randn(4, 3, 2), list(model.parameters())
    compiled = torch.compile(model, backend=backend)
    torch.testing.assert_close(compiled(x), model(x), rtol=1e-4, atol=1e-5)
    found, wanted = (torch.autograd.grad(each(x).square().sum(), weights)
                     for each in (compiled, model))
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "cells"),
    [*(("aot_eager", list(CELLS)[first::5]) for first in range(5)), ("inductor", ["lstm", "mgu"])],
)
def test_a_compiled_net_reads_and_learns_as_the_net(backend: str, cells: list[str]) -> None:
    """In a process without the checks of shapes, which no compiler can follow."""
    done = subprocess.run(
        [sys.executable, "-c", COMPILE, backend, *cells],
        cwd=ROOT,
        env={**clean_env(), "PYTHONWARNINGS": "default"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("variant", list(CELLS))
def test_a_copy_reads_what_the_net_reads(variant: str) -> None:
    model, x = net(variant), batch(3)
    wanted = model(x)
    other = net(variant)
    torch.nn.init.ones_(other.head.weight)
    other.load_state_dict(model.state_dict())
    for taken in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), other):
        torch.testing.assert_close(taken(x), wanted, rtol=0, atol=0)
    wide = copy.deepcopy(model).to(torch.float64)
    torch.testing.assert_close(wide(x.double()).float(), wanted, rtol=1e-4, atol=1e-5)
    assert {p.dtype for p in wide.parameters()} == {torch.float64}


@pytest.mark.parametrize("variant", list(CELLS))
def test_gradients_of_the_input_are_those_of_training(variant: str) -> None:
    """A saliency map is drawn in eval(), where some cells have another form than in training."""
    model, found = net(variant).double(), []
    for is_training in (False, True):
        x = batch(8).double().requires_grad_()
        model.train(is_training)(x, ())[:, 1].sum().backward()
        assert x.grad is not None
        found.append(x.grad)
    torch.testing.assert_close(found[0], found[1], rtol=1e-9, atol=1e-10)
    assert found[0][0].abs().sum() > 0, "the first time step counts too"


def test_hooks_see_what_the_layers_give() -> None:
    model, seen = net("gru"), {}
    model.rnn.register_forward_hook(lambda _, given, found: seen.update(rnn=found[0]))
    model.head.register_forward_hook(lambda _, given, found: seen.update(features=given[0]))
    answer = model(batch(2))
    torch.testing.assert_close(seen["rnn"][-1], seen["features"], rtol=0, atol=0)
    torch.testing.assert_close(model.head(seen["features"]), answer)
