"""Files that would run a command when they are unpickled are refused, and nothing is run."""

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mnist_seq.runs.errors import RunFailed
from mnist_seq.runs.folder import RunFolder
from mnist_seq.training.preflight.count import load_classifier
from tests.training.conftest import make_config, run_in

__all__ = ["run_in"]  # the fixture


class Payload:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.trace}",)


def plain_pickle(payload: Payload) -> bytes:
    return pickle.dumps(payload)


def torch_archive(payload: Payload) -> bytes:
    """As torch writes it today, checksums and all."""
    stream = io.BytesIO()
    torch.save({"model": payload, "optimizer": {}, "random": {}, "loop": {}}, stream)
    return stream.getvalue()


def old_torch_file(payload: Payload) -> bytes:
    stream = io.BytesIO()
    torch.save({"model": payload}, stream, _use_new_zipfile_serialization=False)
    return stream.getvalue()


def numpy_archive(payload: Payload) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, label=np.array([payload], dtype=object), prediction=np.array([1]))
    return stream.getvalue()


def numpy_file(payload: Payload) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array([payload], dtype=object), allow_pickle=True)
    return stream.getvalue()


def huge_array(payload: Payload) -> bytes:
    """An array of terabytes by its header."""
    stream = io.BytesIO()
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (1 << 50,)}
    )
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("label.npy", header.getvalue() + b"few")
        archive.writestr("prediction.npy", header.getvalue() + b"few")
    return stream.getvalue()


KINDS = [plain_pickle, torch_archive, old_torch_file, numpy_archive, numpy_file, huge_array]


@pytest.mark.parametrize("kind", KINDS)
def test_a_crafted_file_is_refused_in_one_line_and_its_payload_is_not_run(
    tmp_path: Path, run_in: Any, kind: Callable[[Payload], bytes]
) -> None:
    """A checkpoint that a colleague sends must not be a program."""
    content, trace = kind(Payload(tmp_path / "trace")), tmp_path / "trace"
    crafted = RunFolder(tmp_path / "run")
    crafted.path.mkdir()
    for path in (crafted.checkpoint_path, crafted.model_path, crafted.predictions_path):
        path.write_bytes(content)
    for name, read in {
        "model.pt": lambda: load_classifier(make_config(), crafted.model_path),
        "predictions.npz": crafted.predictions,
    }.items():
        with pytest.raises(ValueError, match=name) as refusal:
            read()
        assert len(str(refusal.value).splitlines()) == 1
    run_in(tmp_path / "real", "training.evaluate=best", "data.limit=100")
    real = RunFolder(tmp_path / "real")
    for path in (real.best_path, real.checkpoint_path):
        real.result_path.unlink(missing_ok=True)
        path.write_bytes(content)
        with pytest.raises(RunFailed, match=path.name) as failure:
            run_in(tmp_path / "real", "training.evaluate=best", "data.limit=100")
        assert len(str(failure.value).splitlines()) == 1
    assert not trace.exists()
    pickle.loads(pickle.dumps(Payload(trace)))
    assert trace.exists(), "the payload works where it is unpickled"


def test_weights_of_another_size_are_refused_before_they_are_read(tmp_path: Path) -> None:
    """A file may be as large as the model that is built allows, packed and unpacked."""
    path = tmp_path / "model.pt"
    with path.open("wb") as file:
        file.truncate(5 * 2**30)
    with pytest.raises(ValueError, match=r"model.pt must have .* MiB or less: it has 5.0 GiB"):
        load_classifier(make_config(), path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data/0", b"x")
        archive.filelist[0].file_size = 2**31
    with pytest.raises(ValueError, match=r"model.pt must have .* MiB or less: it has 2.0 GiB"):
        load_classifier(make_config(), path)
