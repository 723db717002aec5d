"""Imports torchvision.datasets also if torchvision's compiled operators do not fit torch.

torchvision's shared library loads only into the build of torch for which it was compiled. With
another build its import fails at `torch.library.register_fake("torchvision::nms")`, because this
operator is not defined. Data sets use no operator, so it is enough to define the names. Calling an
operator still fails with torchvision's own message.
"""

import importlib
import sys
from types import ModuleType

import torch

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_NAMES = ("nms", "qnms")  # the operators that torchvision 0.26-0.29 registers without a check
_defined: list[torch.library.Library] = []  # the definitions exist as long as this object


def import_torchvision_datasets() -> ModuleType:
    """The module `torchvision.datasets`; a working torchvision is imported unchanged.

    Raises:
        ImportError: torchvision is missing, or broken in another way.
    """
    try:
        return importlib.import_module("torchvision.datasets")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise _broken(error) from error
    _define_missing_operators()
    # remove the half-initialised modules of the failed import, which Python would reuse
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
