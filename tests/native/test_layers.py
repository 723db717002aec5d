"""Compiled layers, against those of torch and float64."""

import contextlib
import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from mnist_seq.config.reference import default_model
from mnist_seq.config.schema import Model
from mnist_seq.models import Shape
from mnist_seq.models.cells import Cell, build_cell
from mnist_seq.models.kernels.compiled import functions_for, using
from mnist_seq.native import Library
from mnist_seq.native.build import build
from mnist_seq.native.check import checked
from mnist_seq.system import cpuinfo
from tests.conftest import needs_compiler, some
from tests.models.variants import CELLS, MODERN
from tests.native.test_contract import KINDS

pytestmark = needs_compiler

MORE: dict[str, tuple[str, dict[str, Any]]] = {
    "rglru, whole input": ("rglru", {"input_gate": False}),
    "rglru, not normalised": ("rglru", {"normalise": False}),
    "hgrn, bounded": ("hgrn", {"lower_bound": 0.5}),
    "slstm, sigmoid": ("slstm", {"exponential": False}),
    "slstm, not normalised": ("slstm", {"normaliser": False}),
}
MODELS: dict[str, Model] = {
    words: model
    for words, (name, options) in (CELLS | MODERN | MORE).items()
    if (model := default_model(name, block="none", after="none", **options)).has_native_layers
}
HIDDEN, BATCHES, INPUTS, STEPS = (4, 20, 36, 64, 260), (1, 7, 64), (1, 4, 28), (1, 2, 90)


def cell_of(model: Model, hidden: int, inputs: int, steps: int) -> Cell:
    torch.manual_seed(0)
    (cell,) = build_cell(
        Shape(steps, inputs), model.model_copy(update={"hidden": hidden})
    ).children()
    (found,) = cell.children()
    assert isinstance(found, Cell)
    with torch.no_grad():
        for weight in found.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    return found


def found_by(
    cell: Cell, x: Tensor, state: tuple[Tensor, ...], library: Library | None
) -> list[Tensor]:
    """Outputs, last state, and the gradients of a loss of all of them."""
    cell.zero_grad()
    x, *states = (each.clone().requires_grad_() for each in (x, *state))
    lent = using(library.functions) if library else contextlib.nullcontext()
    with lent:
        assert bool(functions_for(x)) == (library is not None and x.dtype == torch.float32)
        y, new = cell(x, tuple(states))
    found = [y, *new]
    loss = sum(
        (each * torch.linspace(-1, 2, each.numel(), dtype=x.dtype).cos().view(each.shape)).sum()
        for each in found
    )
    leaves = [x, *cell.parameters(), *states]
    gradients = torch.autograd.grad(loss, leaves, allow_unused=True)
    return [each.detach() for each in (*found, *gradients) if each is not None]


def check(library: Library, model: Model, hidden: int, batch: int, inputs: int, steps: int) -> None:
    """As near to float64 as torch's float32 is, and the same bits again."""
    cell = cell_of(model, hidden, inputs, steps)
    x = torch.randn(steps, batch, inputs)
    with torch.no_grad():
        state = tuple(torch.randn_like(s).abs() for s in cell.initial(cell.project(x)))
    exact = found_by(
        copy.deepcopy(cell).double(), x.double(), tuple(s.double() for s in state), library
    )
    by_torch, own, again = (found_by(cell, x, state, each) for each in (None, library, library))
    assert all(torch.equal(a, b) for a, b in zip(own, again, strict=True))
    for right, theirs, mine in zip(exact, by_torch, own, strict=True):
        size = float(right.norm()) + 1e-6
        error, of_torch = (float((each - right).norm()) / size for each in (mine, theirs))
        assert error <= 3 * of_torch + 2e-6, (hidden, batch, inputs, steps)


@pytest.mark.parametrize("words", some(list(MODELS), 5))
def test_layers_are_as_near_to_float64_as_torchs(words: str, native_library: Library) -> None:
    """From a given state; a hidden size that fills no vector; and several parts of time steps."""
    check(native_library, MODELS[words], 20, 7, 3, 5)
    check(native_library, MODELS[words], 36, 1, 1, 1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_vectors_computes_layers_of_all_sizes(kind: str) -> None:
    lanes, flag = KINDS[kind]
    if flag not in cpuinfo("flags", "Features").split():
        pytest.skip(f"this CPU has no {flag}")
    library = checked(build(kind))
    assert library.lanes == lanes
    for turn, model in enumerate(MODELS.values()):
        for i, hidden in enumerate(HIDDEN):
            sizes = (each[(turn + i) % 3] for each in (BATCHES, INPUTS, STEPS))
            check(library, model, hidden, *sizes)
    check(library, MODELS["minlstm"], 64, 64, 2, 784)


@pytest.mark.parametrize("words", ["mingru, positive", "minlstm", "rglru", "lru", "hgrn", "slstm"])
def test_values_without_end_and_no_numbers_pass_as_through_torchs(
    words: str, native_library: Library
) -> None:
    """Saturated gates are whole; one example that is no number leaves the others alone.

    torch's minLSTM divides 0 by 0 where both gates are, so its values are smaller.
    """
    cell = cell_of(MODELS[words], 20, 20, 3)
    x = torch.randn(3, 4, 20)
    x[:, 1] = 60 if words == "minlstm" else 1e4
    x[:, 2] = -x[:, 1]
    x[1, 3] = torch.nan
    state = cell.initial(cell.project(x))
    with torch.no_grad():
        state = tuple(each + 1 for each in state)
    by_torch, own = (found_by(cell, x, state, each)[0] for each in (None, native_library))
    torch.testing.assert_close(own, by_torch, rtol=1e-4, atol=1e-4, equal_nan=True)
    assert own[1:, 3].isnan().any()
    assert own[:, :3].isfinite().all()


@pytest.mark.parametrize("words", ["lru", "lru, S5", "hgrn"])
@pytest.mark.parametrize("inputs", [1, 8])
def test_gradients_where_the_last_output_alone_is_read(
    words: str, inputs: int, native_library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not read is not multiplied, and what nobody asks for has no gradient."""
    monkeypatch.setattr("mnist_seq.models.kernels.scan.CHUNK_BYTES", 1)  # one time step a part
    cell = cell_of(MODELS[words], 8, inputs, 5)
    x = torch.randn(5, 3, inputs)
    found = []
    for net, library in ((copy.deepcopy(cell).double(), None), (cell, native_library)):
        lent = using(library.functions) if library else contextlib.nullcontext()
        with lent:
            y = net(x.to(next(net.parameters()).dtype))[0]
        found.append(torch.autograd.grad(y[-1].sin().sum(), [*net.parameters()]))
    for right, mine in zip(*found, strict=True):
        torch.testing.assert_close(mine.double(), right, rtol=1e-4, atol=1e-5)


def test_elsewhere_the_scans_of_torch_run(native_library: Library) -> None:
    """Also inside of a loan: without gradients, and in float64."""
    x = torch.ones(2)
    assert functions_for(x) is None
    with using(native_library.functions):
        assert functions_for(x) is native_library.functions
        assert functions_for(x, x.double()) is None
        with torch.no_grad():
            assert functions_for(x) is None
    assert functions_for(x) is None
