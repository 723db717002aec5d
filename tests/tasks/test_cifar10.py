"""CIFAR-10 from its binary archive: found, downloaded, read, and read as sequences."""

import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from mnist_seq.config import ConfigError
from mnist_seq.config.reference import default_data
from mnist_seq.tasks import DataNotFound, Located, locate, remember, task_of
from mnist_seq.tasks.examples import checked
from mnist_seq.tasks.images import cifar10_file
from tests import fuzz

NAMES = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Black pictures with the label 0, but the first of each file, which is told below."""
    path = fuzz.black_pictures(tmp_path)
    with open(path, "r+b") as stream, tarfile.open(path) as tar:
        for number, member in enumerate(tar):
            stream.seek(member.offset_data)
            colours = [np.full(1024, 10 * c + number, np.uint8) for c in (1, 2, 3)]
            colours[0][33] = 200  # red at row 1, column 1
            stream.write(bytes([number]) + b"".join(c.tobytes() for c in colours))
    return path


@pytest.mark.slow  # 180 MB
def test_a_picture_has_three_colours_at_each_pixel(archive: Path, tmp_path: Path) -> None:
    """The file has one colour after the other."""
    x, y, test_x, test_y = cifar10_file.read(archive)
    assert (x.shape, test_x.shape) == ((50_000, 32, 32, 3), (10_000, 32, 32, 3))
    assert [y[i * 10_000] for i in range(5)] == [0, 1, 2, 3, 4]
    assert (y.sum(), test_y[0], test_y.sum()) == (10, 5, 5)
    assert x[10_000, 0, 0].tolist() == [11, 21, 31]
    assert test_x[0, 1, 1].tolist() == [200, 25, 35]
    remember(
        Located("cifar10", "cifar10", ((str(archive), ""),), "f", "", '{"grey": true}'), tmp_path
    )
    grey = task_of(default_data("cifar10", sequence="pixels", grey=True))
    found = checked(grey.load(locate(grey, tmp_path)), grey.spec, grey.num_loaded(), "cifar10")
    # 0.299 R + 0.587 G + 0.114 B
    assert found.test.x[0, 1, 1].tolist() == [round(0.299 * 200 + 0.587 * 25 + 0.114 * 35)]
    assert found.test.x[0, 0, 0].tolist() == [round(0.299 * 15 + 0.587 * 25 + 0.114 * 35)]


@pytest.mark.parametrize(
    ("words", "shape", "row"),
    [
        ({}, (32, 96), 3),
        ({"sequence": "columns"}, (32, 96), 5),
        ({"sequence": "pixels"}, (1024, 3), 3 * 32 + 5),
        ({"sequence": "pixels", "chunk": 16}, (64, 48), 6),
        ({"sequence": "permuted", "permutation": "bit_reversal"}, (1024, 3), 0b1010011000),
        ({"sequence": "rows", "pad_noise": 40}, (40, 96), 3),
    ],
)
def test_the_colours_of_a_pixel_stay_together(
    words: dict[str, object], shape: tuple[int, int], row: int
) -> None:
    """sCIFAR is 1,024 time steps of 3 numbers."""
    task = task_of(default_data("cifar10", **words))
    task.check()
    assert (task.spec.time_steps, task.spec.input_size) == shape
    x = torch.zeros(2, 32, 32, 3, dtype=torch.uint8)
    x[1, 3, 5] = torch.tensor([1, 2, 3])
    found = task.read(x)
    assert found.shape == (2, shape[0] - task.num_padded, shape[1])
    assert found.is_contiguous()
    assert found[1, row][found[1, row] > 0].tolist() == [1, 2, 3]
    assert int(found.sum()) == 6


def test_a_chunk_divides_the_pixels() -> None:
    with pytest.raises(ConfigError, match="must divide the 1024 values"):
        task_of(default_data("cifar10", sequence="pixels", chunk=3)).check()
    task = task_of(default_data("cifar10", normalize="standard"))
    scale, offset = task.affine()
    assert 255 * 0.4734 * scale + offset == pytest.approx(0)


def test_it_is_downloaded_once_and_checked(tmp_path: Path) -> None:
    """Nothing of another content is kept, or overwritten."""
    far, root = tmp_path / "far.tar.gz", tmp_path / "root"
    far.write_bytes(b"pictures")
    md5 = hashlib.md5(b"pictures").hexdigest()
    with pytest.raises(DataNotFound, match=r"not downloaded \(.* has md5 .*, not 0.*the binary"):
        cifar10_file.find(root, url=far.as_uri(), md5="0" * 32)
    assert not (root / cifar10_file.FILE).exists()
    other = tmp_path / "other.tar.gz"
    with pytest.raises(DataNotFound, match="put file:"):
        cifar10_file.find(root, url=other.as_uri(), md5=md5)
    other.write_bytes(b"pictures")
    with pytest.raises(DataNotFound):  # a sweep does not wait for it again in each run
        cifar10_file.find(root, url=other.as_uri(), md5=md5)
    (tmp_path / "near.tar.gz").write_bytes(b"pictures")
    path = cifar10_file.find(root, url=(tmp_path / "near.tar.gz").as_uri(), md5=md5)
    assert path.read_bytes() == b"pictures"
    path.write_bytes(b"else")
    with pytest.raises(ValueError, match="nothing was overwritten"):
        cifar10_file.find(root, url=far.as_uri(), md5=md5)
    assert path.read_bytes() == b"else"
    assert not list(root.glob(".download-*"))


@pytest.mark.parametrize("fault", ["no archive", "one file", "label"])
def test_another_archive_is_one_line(tmp_path: Path, fault: str) -> None:
    path = tmp_path / "a.tar"
    if fault == "no archive":
        path.write_bytes(b"no archive")
    elif fault == "one file":
        with tarfile.open(path, "w") as archive:
            archive.addfile(tarfile.TarInfo("../test_batch.bin"), io.BytesIO())
    else:
        path = fuzz.black_pictures(tmp_path)
        with open(path, "r+b") as stream:
            stream.seek(512)
            stream.write(b"\x0a")
    says = {"no archive": "must be an archive", "one file": "found no",
            "label": "labels 0 to 9: found 10"}[fault]  # fmt: skip
    with pytest.raises(ValueError, match=says) as caught:
        cifar10_file.read(path)
    assert "\n" not in str(caught.value)
