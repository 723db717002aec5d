"""What autograd keeps of a time step, against what a cell says, which decides what is refused."""

import weakref
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mnist_seq.config.paths import options
from mnist_seq.config.reference import default_model
from mnist_seq.models import Shape
from mnist_seq.models.blocks import build_layers
from mnist_seq.models.cells import Layers, lstm
from mnist_seq.training.preflight.memory import _num_read

D, H, BATCH, FACTOR = 8, 16, 32, 3
FORMS: list[dict[str, Any]] = [
    {"after": "none"}, {"after": "glu", "conv": 4}, {"after": "mlp", "layers": 2},
    {"after": "none", "bidirectional": True},
]  # fmt: skip


def kept(layers: Layers, num_steps: int) -> int:
    """Numbers in all tensors that autograd keeps, each memory once, without weights and inputs."""
    x = torch.randn(num_steps, BATCH, D)
    sizes = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        _outputs = layers(x)
    for known in (x, *layers.parameters()):
        sizes.pop(known.untyped_storage().data_ptr(), None)
    return sum(sizes.values()) // x.element_size()


def measured(layers: Layers) -> float:
    """For one more time step of one example."""
    return (kept(layers, 112) - kept(layers, 28)) / (84 * BATCH)


def layers_of(name: str, **changes: Any) -> Layers:
    torch.manual_seed(0)
    return build_layers(Shape(112, D), default_model(name, hidden=H, **changes)).train()


@pytest.mark.parametrize("name", options("model"))
def test_a_cell_says_what_it_keeps(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a factor of 3: more would refuse runs that fit, less would let them be killed."""
    monkeypatch.setattr(lstm, "LONG", 0)  # as where memory counts
    layers = layers_of(name, block="none", after="none")
    assert measured(layers) / FACTOR < layers.num_kept(112) < measured(layers) * FACTOR


@pytest.mark.parametrize("form", FORMS)
def test_a_block_says_what_it_keeps(form: dict[str, Any]) -> None:
    """Around a cell whose own number is right; each part is counted."""
    layers = layers_of("hgrn", block="residual", **form)
    assert layers.num_kept(112) == pytest.approx(measured(layers), rel=0.1)


class Peak(TorchDispatchMode):
    """The most bytes that all new tensors took at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self.seen: set[int] = set()

    def __torch_dispatch__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = call(*args, **(kwargs or {}))
        for tensor in found if isinstance(found, tuple | list) else (found,):
            if isinstance(tensor, torch.Tensor):
                self._note(tensor.untyped_storage())
        return found

    def _note(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self.seen:
            return

        def gone() -> None:
            self.seen.discard(key)
            self.now -= size

        self.seen.add(key)
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(storage, gone)


@pytest.mark.parametrize("name", ["gated_delta", "hgrn", "mamba", "mlstm", "slstm", "ssd", "tcn"])
def test_an_evaluation_keeps_less(name: str) -> None:
    """Of cells that run a few time steps, or one convolution, at a time."""
    layers = layers_of(name, block="none", after="none").eval()
    x = torch.randn(560, BATCH, D)
    with torch.no_grad(), Peak() as peak:  # such a mode does not see what inference mode does
        layers(x)
    measured = peak.most / x.element_size() / BATCH
    assert measured / 2 < _num_read(layers, 560) < measured * FACTOR
