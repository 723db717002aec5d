import hashlib

import numpy as np
import pytest
import torch

from mnist_seq.data.permutation import PERMUTATION
from mnist_seq.data.sequence import SEQUENCES, as_sequence, permutation_hash, sequence_shape

PICTURES = torch.arange(3 * 784).remainder(251).to(torch.uint8).view(3, 28, 28)


def test_the_permutation_is_the_literatures():
    """A permuted MNIST of one's own cannot be compared with any paper."""
    expected = np.random.RandomState(92916).permutation(784)
    assert list(PERMUTATION) == expected.tolist()
    assert PERMUTATION[:4] == (319, 576, 323, 107)
    assert permutation_hash() == hashlib.sha256(expected.astype("<i8").tobytes()).hexdigest()
    assert permutation_hash().startswith("96240fe27409")


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


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_sequences_are_contiguous_bytes_of_the_stated_shape(sequence):
    """Batches are gathered by whole rows of memory."""
    read = as_sequence(PICTURES, sequence)
    assert read.dtype == torch.uint8
    assert read.is_contiguous()
    assert tuple(read.shape) == (3, *sequence_shape(sequence))


@pytest.mark.parametrize("sequence", ["rows", "pixels"])
def test_reading_in_order_copies_nothing(sequence):
    """The workers of a machine then share one MNIST."""
    assert as_sequence(PICTURES, sequence).data_ptr() == PICTURES.data_ptr()


def test_an_unknown_sequence_is_refused():
    """The message lists what there is."""
    with pytest.raises(ValueError, match="rows, columns, pixels, permuted"):
        sequence_shape("diagonal")
