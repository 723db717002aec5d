import pytest
import torch

from mnist_seq.tasks.batches.split import split, with_wrong_labels


def test_parts_are_disjoint_and_together_everything():
    """An image in both parts would flatter every choice."""
    parts = split(1000, valid=100, limit=None, generator_seed=0)
    assert len(parts.valid) == 100
    assert torch.equal(torch.cat([parts.train, parts.valid]).sort().values, torch.arange(1000))


def test_equal_seeds_give_equal_splits_and_others_do_not():
    """Runs are paired by seed, so the hash must tell one split from another."""
    a, b, other = (split(1000, valid=100, limit=None, generator_seed=seed) for seed in (3, 3, 4))
    assert torch.equal(a.train, b.train)
    assert torch.equal(a.valid, b.valid)
    assert a.hash == b.hash != other.hash


def test_a_split_stays_the_same_split():
    """Stored numbers: a torch release that draws otherwise would break every old comparison."""
    parts = split(10, valid=3, limit=4, generator_seed=0)
    assert (parts.train.tolist(), parts.valid.tolist()) == ([0, 3, 5, 9], [1, 4, 7])
    assert parts.hash.startswith("e9aea59c4993")


def test_a_smaller_limit_is_part_of_a_larger_one_with_the_same_validation():
    """A study of the number of examples adds images, it does not swap them."""
    small, large = (split(1000, valid=100, limit=n, generator_seed=0) for n in (50, 500))
    assert set(small.train.tolist()) < set(large.train.tolist())
    assert torch.equal(small.valid, large.valid)
    assert small.hash != large.hash


def test_without_validation_and_limit_everything_trains_in_order():
    """The article's run trains on all images."""
    parts = split(1000, valid=0, limit=None, generator_seed=0)
    assert torch.equal(parts.train, torch.arange(1000))
    assert len(parts.valid) == 0


def test_the_same_images_cut_elsewhere_are_another_split():
    """The hash covers the border between the parts, not only their sum."""
    # Seed 1 puts image 1 first, so that both read 0, 1 one part after the other.
    parts = split(2, valid=1, limit=1, generator_seed=1)
    assert (parts.train.tolist(), parts.valid.tolist()) == ([0], [1])
    assert parts.hash != split(2, valid=0, limit=2, generator_seed=1).hash


@pytest.mark.parametrize(
    ("valid", "limit", "message"),
    [
        (1000, None, "data.valid must leave training images: data.valid=1000 of 1000; choose"),
        (-1, None, "data.valid must be 0 or more: data.valid=-1"),
        (100, 901, "data.limit=901, left 900 of 1000; choose data.limit from 1 to 900"),
        (100, 0, "data.limit=0, left 900"),
    ],
)
def test_what_the_data_cannot_give_is_refused(valid, limit, message):
    """Refuse, never repair: a clamped limit would be another experiment."""
    with pytest.raises(ValueError, match=message):
        split(1000, valid=valid, limit=limit, generator_seed=0)


def test_wrong_labels_are_wrong_as_often_as_stated_and_only_where_asked():
    """Valid and test must measure what is learned, not what is memorised."""
    labels = torch.arange(20_000) % 10
    rows = torch.arange(0, 20_000, 2)
    found = {
        share: with_wrong_labels(labels, rows, share=share, num_classes=10, generator_seed=3)
        for share in (0.1, 0.4)
    }
    assert torch.equal(labels, torch.arange(20_000) % 10)
    for share, noisy in found.items():
        is_wrong = noisy != labels
        assert not is_wrong[1::2].any()
        assert float(is_wrong[rows].float().mean()) == pytest.approx(share, abs=0.015)
        by = ((noisy - labels) % 10)[is_wrong].bincount(minlength=10)
        assert by[0] == 0
        assert by[1:].min() > 0.7 * by[1:].max(), "each other class is equally likely"
    is_wrong = found[0.1] != labels
    assert torch.equal(found[0.1][is_wrong], found[0.4][is_wrong]), "more noise adds wrong labels"
    other = with_wrong_labels(labels, rows, share=0.1, num_classes=10, generator_seed=4)
    assert not torch.equal(other, found[0.1])
