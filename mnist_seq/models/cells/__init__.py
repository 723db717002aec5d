"""One file a cell, named as its option in `conf/model/`.

Each has `build(shape, model)`: a recurrent layer stack that maps `x [T, B, D]` to its outputs
`[T, B, directions * H]` and its final state, as `nn.LSTM` and `nn.GRU` do.
"""

import importlib

from mnist_seq.config.schema import Model
from mnist_seq.models.kernels.scan import Scanned
from mnist_seq.models.recurrence import Recurrence, Shape


def build_cell(shape: Shape, model: Model) -> Recurrence | Scanned:
    """The recurrent layers that `model.name` names."""
    module = importlib.import_module(f"mnist_seq.models.cells.{model.name}")
    cell = module.build(shape, model)
    assert isinstance(cell, Recurrence | Scanned)
    return cell


def torch_options(model: Model) -> dict[str, int | float | bool]:
    """What torch's own recurrent modules take, from the keys that all cells have."""
    return {
        "hidden_size": model.hidden,
        "num_layers": model.layers,
        "bidirectional": model.bidirectional,
        # torch drops between layers alone, and warns where there is only one
        "dropout": model.dropout if model.layers > 1 else 0.0,
    }
