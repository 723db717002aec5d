import pytest
import torch

from mnist_seq.tasks.batches.augment import augment

BLANK = torch.tensor(-1.0)
NOTHING = {"shift": 0, "noise": 0.0, "drop_steps": 0.0}


def augmented(x, *, seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    return augment(x, **{**NOTHING, **options}, blank=BLANK, generator=generator)


def test_a_shift_moves_each_sequence_by_itself_and_leaves_blanks_behind():
    """All shifts occur, about equally often; what moves out is lost."""
    x = torch.arange(1.0, 11.0).view(10, 1, 1).expand(10, 3000, 2)
    found = augmented(x, shift=2)
    counts = dict.fromkeys(range(-2, 3), 0)
    for by in counts:
        expected = torch.full((10, 2), -1.0)
        inside = range(max(0, by), min(10, 10 + by))
        expected[inside] = x[[t - by for t in inside], 0]
        counts[by] = int((found == expected.unsqueeze(1)).all(dim=(0, 2)).sum())
    assert sum(counts.values()) == 3000
    assert all(500 < count < 700 for count in counts.values()), counts  # 600 +- 22


def test_noise_has_the_stated_deviation():
    x = torch.zeros(20, 500, 10)
    found = augmented(x, noise=0.3)
    assert float(found.std()) == pytest.approx(0.3, rel=0.02)
    assert float(found.mean()) == pytest.approx(0.0, abs=0.01)


def test_dropped_steps_are_blank_as_a_whole_and_as_many_as_stated():
    x = torch.ones(50, 400, 3)
    found = augmented(x, drop_steps=0.2, noise=0.1)
    is_blank = found == BLANK
    assert torch.equal(is_blank.all(dim=-1), is_blank.any(dim=-1))
    assert float(is_blank.float().mean()) == pytest.approx(0.2, abs=0.02)


def test_equal_generators_draw_equally_and_the_batch_stays_as_it_was():
    """A resumed run draws again what it drew; batches may be views of the data."""
    x = torch.rand(12, 30, 4)
    before = x.clone()
    options = {"shift": 3, "noise": 0.1, "drop_steps": 0.3}
    assert torch.equal(augmented(x, **options), augmented(x, **options))
    assert not torch.equal(augmented(x, **options), augmented(x, seed=1, **options))
    assert torch.equal(x, before)
    assert augmented(x) is x
