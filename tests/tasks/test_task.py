import pytest
import torch

from mnist_seq.tasks.batches.split import split
from mnist_seq.tasks.images.drawing import drawn
from mnist_seq.tasks.images.permutation import permutation_hash
from mnist_seq.tasks.images.sequence import SEQUENCES, as_sequence
from tests.tasks.made import load, locate, make_data

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return load(locate("mnist_5k", tmp_path_factory.mktemp("root")))


def _data(images, *, sequence="rows", normalize="standard", device=CPU):
    parts = split(4000, valid=500, limit=3000, generator_seed=1)
    return make_data(
        images,
        name="mnist_5k",
        sequence=sequence,
        normalize=normalize,
        split=parts,
        device=device,
        fingerprint="f",
    ), parts


@pytest.mark.parametrize("sequence", SEQUENCES)
@pytest.mark.parametrize("normalize", ["standard", "unit"])
def test_a_batch_is_the_pictures_time_major_and_normalised(images, sequence, normalize):
    """The reference is the formula as papers write it, one picture after the other."""
    data, parts = _data(images, sequence=sequence, normalize=normalize)
    positions = torch.tensor([2999, 0, 7])
    x, y, *_ = data.train_batch(positions)
    assert x.dtype == torch.float32
    assert x.is_contiguous()
    assert x.shape == (data.time_steps, 3, data.input_size)
    for b, position in enumerate(positions):
        row = parts.train[position]
        expected = as_sequence(images.train_images[row : row + 1], sequence)[0].double() / 255
        if normalize == "standard":
            expected = (expected - 0.1307) / 0.3081
        torch.testing.assert_close(x[:, b].double(), expected, rtol=0, atol=5e-7)
        assert y[b] == images.train_labels[row]


def test_a_pixel_has_the_same_bits_wherever_it_stands_in_a_batch(images):
    """A lone run and a pooled one cut batches differently, and must see the same numbers."""
    data, _ = _data(images)
    whole, *_ = data.train_batch(torch.arange(101))
    for b in (0, 50, 100):
        alone, *_ = data.train_batch(torch.tensor([b]))
        assert torch.equal(alone[:, 0], whole[:, b])


@pytest.mark.parametrize(("part", "size"), [("train", 3000), ("valid", 500), ("test", 1000)])
def test_batches_go_through_a_part_once_in_order(images, part, size):
    """Every example is scored once; predictions.npz has their order."""
    data, parts = _data(images)
    batches = list(data.batches(part, 300))
    assert torch.equal(torch.cat([y for _, y, *_ in batches]), data.labels(part))
    assert sum(x.shape[1] for x, *_ in batches) == len(data.labels(part)) == size
    everything = torch.cat([x for x, *_ in batches], dim=1)
    pictures = data.pictures(part, torch.arange(size))
    expected = (pictures.float() / 255 - 0.1307) / 0.3081
    torch.testing.assert_close(everything.transpose(0, 1), expected, rtol=0, atol=1e-6)
    if part != "test":
        assert torch.equal(data.labels(part), images.train_labels[getattr(parts, part)])


def test_a_limit_takes_the_first_examples(images):
    """The article scores the first 2,000 test images only."""
    data, _ = _data(images)
    limited = list(data.batches("test", 64, limit=150))
    assert [len(y) for _, y, *_ in limited] == [64, 64, 22]
    assert torch.equal(torch.cat([y for _, y, *_ in limited]), images.test_labels[:150])


def test_identity_says_all_that_makes_runs_comparable(images):
    """A comparison never mixes data sets, readings or splits."""
    data, parts = _data(images, sequence="permuted")
    assert data.identity() == {
        "data": "mnist_5k",
        "fingerprint": "f",
        "sequence": "permuted",
        "permutation_hash": permutation_hash(92916, 784),
        "split": parts.hash,
        "num_train": 3000,
        "num_valid": 500,
        "num_test": 1000,
    }
    assert _data(images)[0].identity()["permutation_hash"] == ""


@pytest.mark.slow
def test_signals_come_as_they_are_published_and_are_drawn_to_be_looked_at(signals):
    """MNIST-1D's values are no pixels: nothing is divided by 255."""
    found = load(locate("mnist1d", signals))
    data = make_data(
        found,
        name="mnist1d",
        sequence="permuted",
        chunk=2,
        permutation=42,
        normalize="standard",
        split=split(4000, valid=0, limit=None, generator_seed=0),
        device=CPU,
    )
    assert (data.time_steps, data.input_size, data.num_train) == (20, 2, 4000)
    x, y, *_ = data.train_batch(torch.tensor([3, 5]))
    assert x.shape == (20, 2, 2)
    assert torch.equal(x[0, :, 0], found.train_images[[3, 5], 19])
    assert torch.equal(x[0, :, 1], found.train_images[[3, 5], 16])
    assert torch.equal(y, found.train_labels[[3, 5]])
    (first,) = next(data.batches("test", 1))[:1]
    assert torch.equal(first[1, 0], found.test_images[0, [15, 26]])
    assert float(data.blank) == 0
    pictures = data.pictures("test", torch.arange(3))
    assert torch.equal(pictures, torch.from_numpy(drawn(found.test_images[:3].numpy())))
    assert data.identity()["permutation_hash"] == permutation_hash(42, 40)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("sequence", SEQUENCES)
def test_on_a_gpu_a_batch_is_the_same_and_waits_for_nothing(images, sequence):
    """A hidden synchronisation would cost more than the batch."""
    data, _ = _data(images, sequence=sequence, device=torch.device("cuda"))
    positions = torch.arange(64)
    on_device = positions.cuda()
    torch.cuda.set_sync_debug_mode("error")
    try:
        x, y, *_ = data.train_batch(on_device)
        first = next(data.batches("valid", 64))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    expected, labels, *_ = _data(images, sequence=sequence)[0].train_batch(positions)
    torch.testing.assert_close(x.cpu(), expected, rtol=0, atol=1e-6)
    assert torch.equal(y.cpu(), labels)
    assert first[0].is_cuda
