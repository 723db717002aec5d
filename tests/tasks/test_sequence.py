import hashlib

import numpy as np
import pytest
import torch

from mnist_seq.tasks.images.permutation import PERMUTATION, order, permutation_hash
from mnist_seq.tasks.images.sequence import SEQUENCES, as_sequence

PICTURES = torch.arange(3 * 784).remainder(251).to(torch.uint8).view(3, 28, 28)
SIGNALS = torch.arange(3 * 40).float().view(3, 40)


def test_the_permutation_is_the_literatures():
    """A permuted MNIST of one's own cannot be compared with any paper."""
    expected = np.random.RandomState(92916).permutation(784)
    assert list(PERMUTATION) == expected.tolist() == order(92916, 784).tolist()
    assert PERMUTATION[:4] == (319, 576, 323, 107)
    assert permutation_hash(92916, 784) == hashlib.sha256(expected.astype("<i8")).hexdigest()
    assert permutation_hash(92916, 784).startswith("96240fe27409")


def test_other_published_permutations_are_at_hand():
    """Bit reversal is S4's, seed 0 keras-lmu's, and 42 the shuffled MNIST-1D's."""
    assert order("bit_reversal", 784)[:4].tolist() == [0, 512, 256, 768]
    assert permutation_hash("bit_reversal", 784).startswith("30d91dc29f16")
    np.random.seed(42)
    assert order(42, 40).tolist() == np.random.permutation(40).tolist()
    assert order(42, 40)[:5].tolist() == [19, 16, 15, 26, 4]
    for permutation, length in (("bit_reversal", 784), ("bit_reversal", 40), (0, 784)):
        assert sorted(order(permutation, length).tolist()) == list(range(length))


def test_step_t_shows_what_its_name_says():
    """Rows and columns have one shape: a mix-up would train without an error."""
    read = {sequence: as_sequence(PICTURES, sequence) for sequence in SEQUENCES}
    for n, picture in enumerate(PICTURES):
        for t in range(28):
            assert torch.equal(read["rows"][n, t], picture[t])
            assert torch.equal(read["columns"][n, t], picture[:, t])
        pixels = picture.flatten()
        assert torch.equal(read["pixels"][n, :, 0], pixels)
        assert torch.equal(read["permuted"][n, :, 0], pixels[list(PERMUTATION)])


def test_a_chunk_is_that_many_pixels_in_their_order():
    """A chunk of 28 in the plain order is a row."""
    assert torch.equal(as_sequence(PICTURES, "pixels", chunk=28), PICTURES)
    read = as_sequence(PICTURES, "permuted", chunk=8, permutation="bit_reversal")
    assert tuple(read.shape) == (3, 98, 8)
    wanted = PICTURES.flatten(1)[:, torch.from_numpy(order("bit_reversal", 784))]
    assert torch.equal(read.flatten(1), wanted)


def test_signals_are_read_value_by_value_or_permuted():
    """MNIST-1D has no rows."""
    assert torch.equal(as_sequence(SIGNALS, "pixels", chunk=4), SIGNALS.view(3, 10, 4))
    shuffled = as_sequence(SIGNALS, "permuted", permutation=42)
    assert shuffled[0, :3, 0].tolist() == [19, 16, 15]
    with pytest.raises(ValueError, match=r"rows reads pictures.*\(40,\).*choose pixels"):
        as_sequence(SIGNALS, "rows")


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_sequences_are_contiguous_bytes(sequence):
    """Batches are gathered by whole rows of memory."""
    read = as_sequence(PICTURES, sequence)
    assert read.dtype == torch.uint8
    assert read.is_contiguous()


@pytest.mark.parametrize("sequence", ["rows", "pixels"])
def test_reading_in_order_copies_nothing(sequence):
    """The workers of a machine then share one MNIST."""
    assert as_sequence(PICTURES, sequence).data_ptr() == PICTURES.data_ptr()


def test_an_unknown_sequence_and_a_chunk_that_does_not_fit_are_refused():
    """The message lists what there is."""
    with pytest.raises(ValueError, match="rows, columns, pixels, permuted"):
        as_sequence(PICTURES, "diagonal")
    with pytest.raises(ValueError, match=r"divide the 784 values of an example: data\.chunk=5"):
        as_sequence(PICTURES, "pixels", chunk=5)
    with pytest.raises(ValueError, match=r"data\.chunk=2; choose pixels or permuted"):
        as_sequence(PICTURES, "rows", chunk=2)
