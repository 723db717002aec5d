"""Data sets as tensors on the device, and how an example is read as a sequence.

`locate` finds and verifies the files, `load` reads them, `split` divides the training images, and
`Task` gives batches. The names below load on first use: whoever only locates data does not wait for
torch. The functions `locate` and `split` are imported from their modules, whose names they share.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnist_seq.tasks.images import Images, load
    from mnist_seq.tasks.locate import DataNotFound, Located, remember
    from mnist_seq.tasks.permutation import permutation_hash
    from mnist_seq.tasks.sequence import MEAN_STD, as_sequence
    from mnist_seq.tasks.sources.idx_files import AlteredFile
    from mnist_seq.tasks.sources.torchvision_compat import import_torchvision_datasets
    from mnist_seq.tasks.split import Split
    from mnist_seq.tasks.task import Task

_MODULES = {
    "AlteredFile": "sources.idx_files",
    "DataNotFound": "locate",
    "Images": "images",
    "Located": "locate",
    "MEAN_STD": "sequence",
    "Split": "split",
    "Task": "task",
    "as_sequence": "sequence",
    "import_torchvision_datasets": "sources.torchvision_compat",
    "load": "images",
    "permutation_hash": "permutation",
    "remember": "locate",
}

__all__ = [
    "MEAN_STD",
    "AlteredFile",
    "DataNotFound",
    "Images",
    "Located",
    "Split",
    "Task",
    "as_sequence",
    "import_torchvision_datasets",
    "load",
    "permutation_hash",
    "remember",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
