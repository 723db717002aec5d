"""Import torchvision.datasets also where torchvision's compiled operators do not fit torch.

torchvision's shared library loads only into the torch build that it was compiled for. Elsewhere its
import still runs `torch.library.register_fake("torchvision::nms")`, for an operator that was never
defined, and dies. Data sets use no operator at all, so it is enough that the names exist.
Calling one still fails with torchvision's own message about the mismatch.
"""

import importlib
import sys
from types import ModuleType

import torch

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_NAMES = ("nms", "qnms")  # all that torchvision 0.26-0.29 registers without asking if it exists
_defined: list[torch.library.Library] = []  # a Library's definitions live as long as the object


def import_torchvision_datasets() -> ModuleType:
    """The module `torchvision.datasets`; a torchvision that works is imported as it is.

    Raises:
        ImportError: torchvision is missing, or broken in another way.
    """
    try:
        return importlib.import_module("torchvision.datasets")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise _broken(error) from error
    _define_missing_operators()
    # The failed import left half-initialised modules behind, and Python would reuse them.
    for module in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[module]
    try:
        return importlib.import_module("torchvision.datasets")
    except RuntimeError as error:
        raise _broken(error) from error


def _define_missing_operators() -> None:
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]  # torch's own gap
    for name in _NAMES:
        if not hasattr(torch.ops.torchvision, name):
            library.define(name + _SCHEMA)  # type: ignore[no-untyped-call]  # torch's own gap
    _defined.append(library)


def _broken(error: RuntimeError) -> ImportError:
    return ImportError(
        f"torchvision must fit the installed torch {torch.__version__}: its import fails with "
        f"{error}; install the torchvision release that belongs to this torch"
    )
