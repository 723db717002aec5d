"""On the real files, where a machine has them."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mnist_seq.tasks import task_class
from mnist_seq.tasks.sources.idx_files import find_files
from mnist_seq.tasks.sources.published import FASHION_MNIST, MNIST
from tests.tasks.made import load, locate

ROOTS = {
    "mnist": Path(__file__).parents[3] / "shared" / "data",
    "fashion_mnist": Path("/usr/share/datasets/fashion-mnist"),
}


@pytest.fixture(params=ROOTS)
def name(request):
    if not ROOTS[request.param].is_dir():
        pytest.skip(f"the published {request.param} is not in {ROOTS[request.param]}")
    return request.param


def test_the_published_files_pass_and_have_the_stated_mean_and_deviation(name):
    """The checksums and the two constants are written by hand."""
    located = locate(name, ROOTS[name])
    assert (located.name, located.notice) == (name, "")
    images = load(located)
    assert (len(images.train_labels), len(images.test_labels)) == (60_000, 10_000)
    counts = images.train_images.flatten().bincount(minlength=256).double()
    values = torch.arange(256).double() / 255
    mean = (counts * values).sum() / counts.sum()
    std = ((counts * (values - mean) ** 2).sum() / counts.sum()).sqrt()
    assert (task_class(name).mean, task_class(name).std) == pytest.approx(
        (float(mean), float(std)), abs=5.1e-5
    )


def test_the_files_of_another_data_set_directly_in_the_root_are_passed_over():
    """They have the same names, so data=fashion_mnist beside MNIST must download, not refuse."""
    if not ROOTS["mnist"].is_dir():
        pytest.skip(f"the published mnist is not in {ROOTS['mnist']}")
    folder = ROOTS["mnist"] / "MNIST" / "raw"
    alone = replace(FASHION_MNIST, system="")
    assert find_files(alone, folder).missing == FASHION_MNIST.files
    assert not find_files(MNIST, folder).missing


def test_debians_fashion_mnist_is_found_without_being_told(tmp_path):
    """Its archives are Debian's own: the content's checksums vouch for them."""
    if not ROOTS["fashion_mnist"].is_dir():
        pytest.skip("Debian's package dataset-fashion-mnist is not installed")
    located = locate("fashion_mnist", tmp_path)
    assert {Path(path).parent for path, _ in located.files} == {ROOTS["fashion_mnist"]}
    told = locate("fashion_mnist", ROOTS["fashion_mnist"])
    assert located.fingerprint == told.fingerprint
    assert load(located).test_labels[:10].tolist() == [9, 2, 1, 1, 6, 1, 4, 6, 5, 7]


def test_the_first_ten_test_digits_of_mnist_are_the_known_ones():
    """Images and labels are in the published order: the article shows these ten."""
    if not ROOTS["mnist"].is_dir():
        pytest.skip(f"the published mnist is not in {ROOTS['mnist']}")
    labels = load(locate("mnist", ROOTS["mnist"])).test_labels
    assert labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
