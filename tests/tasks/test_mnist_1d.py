import random
import subprocess
import sys

import numpy as np
import pytest

from mnist_seq.tasks import test_pictures as pictures_of
from mnist_seq.tasks.images.drawing import drawn
from mnist_seq.tasks.sources import mnist1d_file
from mnist_seq.tasks.sources.idx_files import AlteredFile
from tests.tasks.made import load, locate


def test_the_signals_are_the_frozen_ones_of_their_authors(signals):
    """The hash is of the authors' own file: see sources. Labels count exactly."""
    located = locate("mnist1d", signals)
    assert (located.name, located.requested, located.notice) == ("mnist1d", "mnist1d", "")
    found = load(located)
    arrays = [
        part.numpy()
        for part in (
            found.train_images,
            found.train_labels,
            found.test_images,
            found.test_labels,
        )
    ]
    assert [array.shape for array in arrays] == [(4000, 40), (4000,), (1000, 40), (1000,)]
    assert arrays[0].dtype == np.float32
    assert mnist1d_file.content_hash(tuple(arrays)) == mnist1d_file.SHA256
    both = np.concatenate([arrays[0], arrays[2]])
    assert (both.mean(), both.std()) == pytest.approx((0, 1), abs=1e-5)


def test_the_hash_sees_a_label_and_a_value_and_passes_over_rounding(signals):
    """Machines differ in the last bits of a double; nothing else may differ."""
    x, y, x_test, y_test = mnist1d_file.read(signals / mnist1d_file.FILE)
    other_y, other_x = y.copy(), x_test.copy()
    other_y[7] = (y[7] + 1) % 10
    other_x[3, 5] += 0.001
    assert mnist1d_file.content_hash((x, other_y, x_test, y_test)) != mnist1d_file.SHA256
    assert mnist1d_file.content_hash((x, y, other_x, y_test)) != mnist1d_file.SHA256
    rounded = (x.astype(np.float64) * (1 + 1e-15), y, x_test, y_test)
    assert mnist1d_file.content_hash(rounded) == mnist1d_file.SHA256


@pytest.mark.slow
def test_generating_leaves_the_global_random_states_alone(tmp_path):
    """The package reseeds them: a run's later draws would be the same at every seed.

    In an interpreter of its own, since the checks of shapes in this one draw at random too.
    """
    program = (
        "import pathlib, random, sys; import numpy as np;"
        "from mnist_seq.config.reference import default_data;"
        "from mnist_seq.tasks import locate, task_of;"
        "task = task_of(default_data('mnist1d'));"
        "random.seed(5); np.random.seed(5);"
        "print(locate(task, pathlib.Path(sys.argv[1])).notice);"
        "print(random.random(), np.random.random())"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
    )
    random.seed(5)
    np.random.seed(5)
    assert done.stdout.splitlines() == [
        f"generated MNIST-1D into {tmp_path / mnist1d_file.FILE}",
        f"{random.random()} {np.random.random()}",
    ]


def test_reading_needs_neither_the_package_nor_what_it_imports(signals):
    """It takes 2.4 s to import, in every worker of a sweep."""
    program = (
        "import pathlib, sys; from mnist_seq.config.reference import default_data;"
        "from mnist_seq.tasks import locate, task_of;"
        "task = task_of(default_data('mnist1d'));"
        "locate(task, pathlib.Path(sys.argv[1]));"
        "sys.exit(bool({'mnist1d', 'matplotlib', 'requests', 'torch'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program, str(signals)], check=True)


def test_a_missing_package_is_named_with_its_extra(tmp_path, monkeypatch):
    """As on a machine without it: an empty entry makes the import system find nothing."""
    monkeypatch.setattr(mnist1d_file, "PACKAGE", "mnist1d_that_nobody_installed")
    with pytest.raises(ValueError, match=r"pip install 'mnist_seq\[mnist1d\]'") as refusal:
        locate("mnist1d", tmp_path)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("damage", [lambda c: c[:-100], lambda c: c.replace(b"\x3f", b"\x3e", 1)])
def test_an_altered_file_is_refused_and_left_alone(signals, tmp_path, damage):
    path = tmp_path / mnist1d_file.FILE
    path.parent.mkdir()
    damaged = damage((signals / mnist1d_file.FILE).read_bytes())
    path.write_bytes(damaged)
    with pytest.raises(AlteredFile, match="move the file away to have it generated"):
        locate("mnist1d", tmp_path)
    assert path.read_bytes() == damaged


def test_a_root_that_takes_no_file_is_named():
    """/proc takes none, not even root's."""
    with pytest.raises(ValueError, match=r"data\.root: /proc/mnist_seq.*choose another data\.root"):
        mnist1d_file.find(mnist1d_file.Path("/proc/mnist_seq"))


def test_pictures_show_time_downwards_and_the_value_to_the_right(signals, tmp_path):
    """The report's contested digits and W&B's samples are drawn from signals too."""
    middle, right, step = np.zeros(40), np.full(40, 9.0), np.repeat([-2.0, 2.0], 20)
    a, b, c = drawn(np.stack([middle, right, step]).astype(np.float32))
    assert a.dtype == np.uint8
    assert np.array_equal(np.argwhere(a), [(row, 14) for row in range(28)])
    assert np.array_equal(np.argwhere(b), [(row, 27) for row in range(28)])
    assert np.flatnonzero(c[0]).tolist() == [7]
    assert np.flatnonzero(c[27]).tolist() == [21]
    found = pictures_of("mnist1d", [tmp_path, signals], [0, 999])
    test = mnist1d_file.read(signals / mnist1d_file.FILE)[2]
    assert np.array_equal(found, drawn(test[[0, 999]]))
    assert pictures_of("mnist1d", [tmp_path], [0]) is None
