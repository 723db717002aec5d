"""What generated tasks ask: targets are recomputed here from the input, by other means."""

import itertools
from typing import Any

import numpy as np
import pytest

from mnist_seq.config import ConfigError
from mnist_seq.config.reference import default_data
from mnist_seq.tasks import task_of
from mnist_seq.tasks.examples import Part
from mnist_seq.tasks.streams import Stream
from mnist_seq.tasks.word_problem import table_of

NUM = 200


def made(name: str, length: int, **changes: Any) -> Part:
    return task(name, **changes).make(np.random.RandomState(3), NUM, length)


def task(name: str, **changes: Any) -> Stream:
    found = task_of(default_data(name, **changes))
    assert isinstance(found, Stream)
    return found


@pytest.mark.parametrize("variant", ["halves", "anywhere", "hochreiter"])
def test_adding_adds_the_marked_values(variant: str) -> None:
    """Three tasks share the name; where the markers may be is what tells them apart."""
    part, num_steps = made("adding", 30, variant=variant), 30
    values, markers = part.x[..., 0], part.x[..., 1]
    summed = (values * (markers == 1)).sum(1)
    places = np.argwhere(markers == 1)[:, 1].reshape(NUM, 2)
    if variant == "hochreiter":
        np.testing.assert_allclose(part.y, 0.5 + summed / 4, atol=1e-6)
        assert (markers[:, (0, -1)] == -1).all()
        assert values.min() < -0.9
        assert (places.min(1) < 10).all()
        assert places.max() < num_steps // 2
    else:
        np.testing.assert_allclose(part.y, summed, atol=1e-6)
        is_halved = (places[:, 0] < 15) & (places[:, 1] >= 15)
        assert is_halved.all() == (variant == "halves")
    assert {int(t) for t in places[:, 0]} >= set(range(1, 9))


@pytest.mark.parametrize(
    ("variant", "now", "steps"),
    [("one_marker", -4, 26), ("markers", -4, 26), ("on_marker", -3, 26)],
)
def test_copying_repeats_the_symbols_behind_the_pause(variant: str, now: int, steps: int) -> None:
    """The answer begins one step after the marker, or on it, and ends with the sequence."""
    part = made("copying", 20, items=3, variant=variant)
    assert part.x.shape == (NUM, steps)
    assert (part.y[:, -3:] == part.x[:, :3]).all()
    assert set(np.unique(part.y[:, -3:])) == set(range(1, 9))
    assert (part.x[:, now] == 9).all()
    assert ((part.x == 9).sum(1) == (4 if variant == "markers" else 1)).all()
    assert part.mask is not None
    assert part.mask.sum() == 3 * NUM
    whole = made("copying", 20, items=3, variant=variant, counts="all")
    assert whole.mask is None
    assert (whole.y[:, :-3] == 0).all()


def test_a_papers_loss_of_copying_is_that_of_all_steps() -> None:
    """10 ln 8 / (T + 20): papers print .1733 at T=100, where nothing has been learnt."""
    assert task("copying", counts="all").guess_at(100)["loss"] == pytest.approx(0.17329, abs=1e-5)
    assert task("copying").guess_at(100) == pytest.approx({"accuracy": 0.125, "loss": 2.0794}, 1e-4)


def test_copying_bits_repeats_vectors() -> None:
    part = made("copying_bits", 5)
    assert part.x.shape == (NUM, 18, 8)
    assert (part.y[:, -5:] == part.x[:, :5, :7]).all()
    assert part.x[:, 12, 7].all()
    assert part.x[..., 7].sum() == NUM
    assert part.mask is not None
    assert part.mask[:, -5:].all()
    assert part.mask.sum() == 5 * NUM


def test_selective_copying_keeps_symbols_in_their_order() -> None:
    part = made("selective_copying", 16)
    assert part.mask is not None
    for x, y, mask in zip(part.x, part.y, part.mask, strict=True):
        assert [w for w in x[:20] if w] == list(y[mask])
        assert (x[20:] == 7).all()
        assert mask[-4:].all()


def test_formal_languages_have_the_answers_of_python() -> None:
    """Precedence and negative numbers are where a generator of one's own goes wrong."""
    part = made("modular_arithmetic", 9)
    words = [*map(str, range(5)), "+", "-", "*"]
    assert [eval("".join(words[w] for w in x)) % 5 for x in part.x] == list(part.y)
    part = made("cycle_navigation", 9)
    assert [sum((0, 1, -1)[move] for move in x) % 5 for x in part.x] == list(part.y)
    part = made("even_pairs", 9)
    changes = (part.x[:, 1:] != part.x[:, :-1]).sum(1)
    assert list((changes + 1) % 2) == list(part.y)
    part = made("parity", 9)
    assert [int("".join(map(str, x)), 2).bit_count() % 2 for x in part.x] == list(part.y)


@pytest.mark.parametrize(
    ("name", "length", "shares"),
    [("modular_arithmetic", 3, 0.255), ("modular_arithmetic", 5, 0.229),
     ("modular_arithmetic", 41, 0.205), ("cycle_navigation", 2, 0.34),
     ("cycle_navigation", 3, 0.26)],
)  # fmt: skip
def test_a_guess_is_more_than_one_in_so_many_where_strings_are_short(
    name: str, length: int, shares: float
) -> None:
    """Measured on samples of 20,000; one in five would call a guess learning."""
    assert task(name).guess_at(length)["accuracy"] == pytest.approx(shares, abs=0.01)


@pytest.mark.parametrize(
    ("group", "size", "is_abelian"),
    [("S3", 6, False), ("A4", 12, False), ("Z60", 60, True), ("A4xZ5", 60, False),
     ("A5", 60, False), ("S5", 120, False)],
)  # fmt: skip
def test_a_groups_table_is_a_groups(group: str, size: int, is_abelian: bool) -> None:
    """Associative, one neutral element, each row and column each element once."""
    table = table_of(group)
    each = np.arange(size)
    assert table.shape == (size, size)
    assert (np.sort(table, 0) == each[:, None]).all()
    assert (np.sort(table, 1) == each).all()
    assert sum((table[e] == each).all() for e in each) == 1
    some = np.random.RandomState(0).randint(size, size=(3, 500))
    a, b, c = some
    assert (table[table[a, b], c] == table[a, table[b, c]]).all()
    assert (table == table.T).all() == is_abelian


def test_a_word_problem_multiplies_from_the_left() -> None:
    part, table = made("word_problem", 6, group="S3"), table_of("S3")
    for x, y in zip(part.x, part.y, strict=True):
        assert list(itertools.accumulate(x, lambda a, b: table[a, b])) == list(y)


@pytest.mark.parametrize("fill", ["blank", "random"])
def test_recall_asks_for_the_values_of_keys(fill: str) -> None:
    """Each key once more, behind all pairs; its value is the target at its place."""
    part = made("mqar", 24, pairs=3, vocabulary=20, fill=fill)
    assert part.mask is not None
    for x, y, mask in zip(part.x, part.y, part.mask, strict=True):
        pairs = dict(zip(x[:6:2], x[1:6:2], strict=True))
        assert len(pairs) == len(set(pairs.values())) == 3
        assert all(1 <= key < 10 <= value < 20 for key, value in pairs.items())
        asked = np.flatnonzero(mask)
        assert len(asked) == 3
        assert asked.min() >= 6
        assert [pairs[x[t]] for t in asked] == list(10 + y[asked])
        assert fill == "random" or ((x[6:] == 0) | mask[6:]).all()


def test_induction_asks_for_the_word_behind_the_special_one() -> None:
    part = made("induction", 12)
    for x, y in zip(part.x, part.y, strict=True):
        first, last = np.flatnonzero(x == 15)
        assert last == 11
        assert x[first + 1] == y < 15


@pytest.mark.parametrize(
    ("name", "changes", "says"),
    [
        ("adding", {"length": 1}, "data.length must be 2 or more, as a length of data=adding"),
        ("parity", {"min_length": 50}, "data.min_length must not exceed data.length"),
        ("parity", {"probes": [64, 64]}, "data.probes must name each length once"),
        ("modular_arithmetic", {"probes": [41, 44]}, "data.probes must be odd"),
        ("mqar", {"length": 7}, "data.length must be even, and 8 or more"),
        ("mqar", {"pairs": 10, "length": 64}, "data.pairs must not exceed the 9 keys"),
        ("word_problem", {"group": "S9"}, "data.group must be a group"),
        ("word_problem", {"group": "A5xS5"}, "data.group must be a group"),
        ("word_problem", {"group": ""}, "data.group must be a group"),
    ],
)
def test_impossible_sequences_are_refused(name: str, changes: dict[str, Any], says: str) -> None:
    """In one line, before a run has a folder."""
    with pytest.raises(ConfigError) as caught:
        task(name, **changes).check()
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
