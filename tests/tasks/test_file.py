"""Own sequences from a NumPy archive: read as they are meant, or refused by name."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_seq.config import ConfigError
from mnist_seq.config.reference import default_data
from mnist_seq.notebook import compose, train_run
from mnist_seq.tasks import locate, record, task_of
from mnist_seq.tasks.examples import Examples, checked
from mnist_seq.tasks.recordings.scaling import below
from mnist_seq.tasks.sources.own_file import read
from mnist_seq.training.preflight.task import check_task

Arrays = dict[str, Any]


def arrays(**changes: Any) -> Arrays:
    """12 training and 6 test sequences of 5 time steps, 2 channels, 3 classes; None leaves out."""
    draw = np.random.RandomState(0)
    whole: Arrays = {}
    for part, num in (("train", 12), ("test", 6)):
        whole |= {f"x_{part}": draw.standard_normal((num, 5, 2)), f"y_{part}": np.arange(num) % 3}
    return {name: value for name, value in {**whole, **changes}.items() if value is not None}


def saved(folder: Path, **changes: Any) -> Path:
    path = folder / "own.npz"
    np.savez(path, **arrays(**changes))
    return path


def loaded(folder: Path, words: Arrays, **changes: Any) -> Examples:
    """As a run gets them."""
    task = task_of(default_data("file", path=str(saved(folder, **changes)), **words))
    task.check()
    examples = task.load(locate(task, folder))
    return checked(examples, task.spec, task.num_loaded(), "file")


def test_each_channel_has_mean_0_over_the_training_steps(tmp_path: Path) -> None:
    """Test is scaled by the numbers of train, and padding is no time step."""
    lengths = np.array([5, 2] * 6)
    found = loaded(tmp_path, {"valid": 0}, lengths_train=lengths, lengths_test=lengths[:6])
    inside = np.arange(5) < lengths[:, None]
    steps = found.train.x[inside]
    np.testing.assert_allclose(steps.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(steps.std(0), 1, atol=1e-6)
    assert not found.train.x[~inside].any()
    raw = arrays()
    of = raw["x_train"][inside]
    np.testing.assert_allclose(found.test.x[0], (raw["x_test"][0] - of.mean(0)) / of.std(0), 1e-5)
    assert found.train.lengths is not None
    assert found.train.lengths.tolist() == lengths.tolist()


def test_sequences_may_lie_one_below_the_other(tmp_path: Path) -> None:
    """As packages write them that have no ragged arrays; parts may differ in their longest."""
    parts = {"train": np.array([1, 4] * 6), "test": np.array([5, 2] * 3)}
    flat: Arrays = {f"lengths_{part}": lengths for part, lengths in parts.items()}
    for part, lengths in parts.items():
        flat[f"x_{part}"] = np.arange(1.0, lengths.sum() + 1)
    found = loaded(tmp_path, {"normalize": "none", "valid": 0}, **flat)
    assert found.train.x.shape == (12, 5, 1)
    assert found.train.x[:2, :, 0].tolist() == [[1, 0, 0, 0, 0], [2, 3, 4, 5, 0]]
    assert found.test.x[1, :, 0].tolist() == [6, 7, 0, 0, 0]


@pytest.mark.parametrize(
    ("words", "changes", "spec"),
    [
        ({}, {}, ("vector", 2, "class", 3, False)),
        ({}, {"x_train": np.ones((12, 5)), "x_test": np.ones((6, 5))},
         ("vector", 1, "class", 3, False)),
        ({}, {"x_train": np.full((12, 5), 6), "x_test": np.full((6, 5), 3)},
         ("token", 7, "class", 3, False)),
        ({"output": "value"}, {}, ("vector", 2, "value", 1, False)),
        ({"output": "value"}, {"y_train": np.eye(12, 4), "y_test": np.ones((6, 4))},
         ("vector", 2, "value", 4, False)),
        ({"output": "bits", "per_step": True},
         {"y_train": np.ones((12, 5, 2)), "y_test": np.zeros((6, 5, 2)),
          "mask_train": np.ones((12, 5), dtype=bool)}, ("vector", 2, "bits", 2, True)),
        ({"per_step": True},
         {"y_train": np.tile(np.arange(5), (12, 1)), "y_test": np.zeros((6, 5), dtype=np.uint8)},
         ("vector", 2, "class", 5, True)),
    ],
)  # fmt: skip
def test_the_spec_is_that_of_the_arrays(
    tmp_path: Path, words: Arrays, changes: Arrays, spec: tuple[Any, ...]
) -> None:
    task = task_of(default_data("file", path=str(saved(tmp_path, **changes)), **words))
    found = task.spec
    assert (found.input, found.input_size, found.output, found.num_outputs, found.per_step) == spec
    assert (found.time_steps, found.varied) == (5, False)
    loaded(tmp_path, words, **changes)


NAN = np.ones((12, 5, 2))
NAN[3, 4, 1] = np.nan
FAULTS: list[tuple[Arrays, str]] = [
    (
        {"y_train": np.arange(12) % 3 + 1},
        "have each class from 0 to 3: found no sequence of class 0",
    ),
    (
        {"y_train": np.arange(12) % 3 - 1},
        "y_train must be classes from 0 on: found -1 at sequence 0",
    ),
    ({"y_test": np.full(6, 9)}, "y_train must have each class from 0 to 9"),
    ({"y_train": np.zeros(12, int), "y_test": np.zeros(6, int)}, "two classes or more"),
    ({"y_train": np.arange(12) + 5000}, "have 4096 classes or fewer: found 5012"),
    ({"y_train": np.ones(12)}, "whole numbers of shape (12,): found float64 of (12,)"),
    ({"y_train": np.ones((12, 3), int)}, "whole numbers of shape (12,): found int64 of (12, 3)"),
    ({"y_train": np.arange(11) % 3}, "whole numbers of shape (12,): found int64 of (11,)"),
    (
        {"y_train": np.array(["a", "b"] * 6), "y_test": np.array(["a"] * 5 + ["c"])},
        "y_test must have classes of y_train, a, b: found c at sequence 5",
    ),
    ({"y_train": np.array([b"x" * 3] * 12, "V3")}, "y_train must be numbers: found |V3"),
    ({"y_train": np.full(12, -100)}, "classes from 0 on: found -100 at sequence 0"),
    ({"y_train": np.array([255, 0] * 6).astype("i1")}, "from 0 on: found -1 at sequence 0"),
    ({"classes": np.array(["a", "b"])}, "classes must name the 3 classes of y: found 2"),
    (
        {"classes": np.array(list("abcd"))},
        "have each class from 0 to 3: found no sequence of class 3, d",
    ),
    ({"classes": np.array(["a", "a", "b"])}, "classes must be names, each once"),
    ({"group_train": np.arange(11)}, "group_train must be names or whole numbers of shape (12,)"),
    ({"group_train": np.ones(12)}, "group_train must be names or whole numbers: found float64"),
    ({"group_valid": np.ones(3, int)}, "of shape absent as x_valid is: found int64 of (3,)"),
    ({"x_test": np.full((6, 5, 2), 1e300)}, "fit into float32: found 1e+300 at sequence 0, time"),
    (
        {"x_train": np.full((12, 5), 10**6), "x_test": np.ones((6, 5), int)},
        "words below 65536 (for numbers, save x as float): found 1000000 at sequence 0",
    ),
    ({"x_train": np.array([[1], [1, 2]], dtype=object)}, "x_train must be an array of numbers"),
    (
        {"x_train": NAN},
        "nan at sequence 3, time step 4, channel 1; if that is padding, add lengths_train",
    ),
    (
        {"x_train": np.ones((12, 5, 4))},
        "x_test must have the channels of x_train, (4,): found (2,)",
    ),
    ({"x_train": np.ones((12, 5), int)}, "x_test must have the channels of x_train, words"),
    (
        {"x_train": np.full((12, 5), -1), "x_test": np.zeros((6, 5), int)},
        "words from 0 on: found -1",
    ),
    ({"x_train": np.ones((12, 5, 2, 2))}, "be [n, T, D] or [n, T] numbers"),
    (
        {"x_train": np.ones((12, 2)), "lengths_train": np.array([2**62] * 4 + [2] * 6)},
        "rows of x as their sum: found 10 with the sum 18446744073709551628",
    ),
    ({"classes": np.array(["a", "b", "\x1b[31mc"])}, "printable letters: found 6: '\\x1b[31mc'"),
    ({"classes": np.array(["a", "", "c"])}, "names of 1 to 80 printable letters: found 0: ''"),
    ({"x_train": np.ones((0, 5, 2))}, "x_train must hold something: found shape (0, 5, 2)"),
    ({"lengths_train": np.array([5] * 11 + [0])}, "be 1 or more: found 0 at sequence 11"),
    ({"lengths_train": np.array([5] * 11 + [6])}, "at most the 5 time steps of x: found 6"),
    ({"lengths_train": np.array([5, 5])}, "one for each of the 12 sequences"),
    ({"lengths_train": np.full(12, 5.0)}, "whole numbers, one a sequence: found float64"),
    ({"mask_train": np.ones((12, 5), bool)}, "be bool of (12, 5), with data.per_step=true"),
    ({"x_test": None}, "x_test must be there: found only x_train, y_train, y_test"),
    ({"x_valid": np.ones((2, 5, 2))}, "y_valid must be there: found its x alone"),
    ({"x_tarin": np.ones(3)}, "no code reads its array x_tarin; did you mean x_train?"),
]


@pytest.mark.parametrize(("changes", "says"), FAULTS)
def test_what_would_train_wrongly_is_refused(tmp_path: Path, changes: Arrays, says: str) -> None:
    """By file and array; most of these train, or stop in a kernel without a word of the cause."""
    with pytest.raises(ValueError, match=r"must|no code") as caught:
        read(saved(tmp_path, **changes), output="class", per_step=False)
    assert says in str(caught.value)
    assert "own.npz" in str(caught.value)
    assert "\n" not in str(caught.value)


OF_NO_ARCHIVE = (
    None, b"", b"x,y\n1,2\n", b"PK\x03\x04" + b"\x00" * 90, pickle.dumps([1]), b"\x93NUMPY\x01\x00"
)  # fmt: skip


@pytest.mark.parametrize("content", OF_NO_ARCHIVE)
def test_no_archive_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """Without NumPy's advice to load it unsafely."""
    path = tmp_path / "own.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match="must be") as caught:
        read(path, output="class", per_step=False)
    assert str(path) in str(caught.value)
    assert "pickle" not in str(caught.value)


def test_what_is_padded_to_more_than_memory_is_refused(tmp_path: Path) -> None:
    """One long sequence among many short ones, one below the other."""
    lengths = np.ones(200_000, int)
    lengths[0] = 10**8
    with pytest.raises(ValueError, match=r"padded to the longest sequence of 100,000,000 time"):
        below(np.zeros((1, 8), np.float32), lengths, place=str(tmp_path))


@pytest.mark.parametrize("name", ["bomb.npz", "Sparse/Sparse_TRAIN.ts"])
def test_what_unpacks_to_more_than_memory_is_refused_unread(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith(".npz"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x_train.npy", b"")
            archive.filelist[0].file_size = 2**50
    else:
        path.parent.mkdir()
        for part in ("TRAIN", "TEST"):
            with open(path.parent / f"Sparse_{part}.ts", "wb") as file:
                file.truncate(2**43)
        path = path.parent
    with pytest.raises(ValueError, match=r"must fit into memory: it takes [0-9,.]+ GiB") as said:
        read(path, output="class", per_step=False)
    assert "\n" not in str(said.value)


def test_what_may_be_meant_is_said(tmp_path: Path) -> None:
    """Test sequences that were trained on, channels in the place of time, a constant channel."""
    wide = np.random.RandomState(0).standard_normal((12, 2, 5))
    wide[..., 3] = 7
    own = read(saved(tmp_path, x_train=wide, x_test=wide[:6]), output="class", per_step=False)
    assert len(own.remarks) == 3
    assert own.remarks[0] == "6 of 6 test sequences are in x_train too"
    assert "is it [n, T, D]" in own.remarks[1]
    assert own.remarks[2].endswith("never change: 3")
    padded = np.random.RandomState(0).standard_normal((12, 5, 2))
    padded[:3, 4] = 0
    (remark,) = read(saved(tmp_path, x_train=padded), output="class", per_step=False).remarks
    assert remark.startswith("3 of 12 training sequences end with zeros: if that is padding, add")
    lengths = {"lengths_train": np.full(12, 5), "lengths_test": np.full(6, 5)}
    own = read(saved(tmp_path, x_train=padded, **lengths), output="class", per_step=False)
    assert own.remarks == ()
    words = {
        "x_train": np.arange(60).reshape(12, 5) % 7,
        "x_test": np.full((6, 5), [0, 6, 8, 9, 9]),
    }
    own = read(saved(tmp_path, **words), output="class", per_step=False)
    assert own.remarks == ("2 words of x_test are not in x_train",)


def test_a_validation_set_of_the_file_is_taken_as_it_is(tmp_path: Path) -> None:
    """At every seed; and it is not left unused in silence."""
    valid = {"x_valid": np.full((4, 5, 2), 3.0), "y_valid": np.array([2, 2, 1, 0])}
    path = str(saved(tmp_path, **valid))
    with pytest.raises(ConfigError, match="would leave x_valid"):
        check_task(compose("data=file", f"data.path={path}"))
    words = ("data=file", f"data.path={path}", "data.valid=file", "model.hidden=2",
             "tracker=none", "training.evaluate=best", "training.batch_size=4")  # fmt: skip
    records = [
        train_run(compose(*words, f"seed={seed}"), tmp_path / f"{seed}").run.record["data"]
        for seed in (0, 1)
    ]
    assert [records[0][f"num_{part}"] for part in ("train", "valid", "test")] == [12, 4, 6]
    assert records[0]["split"] == records[1]["split"]
    with pytest.raises(ConfigError, match="needs x_valid and y_valid"):
        check_task(compose("data=file", f"data.path={saved(tmp_path)}", "data.valid=file"))


def test_the_same_file_elsewhere_is_the_same_data(tmp_path: Path) -> None:
    """Its content counts, not its place; another content is another data set."""
    found = []
    for name in "ab":
        (tmp_path / name).mkdir()
        found.append(default_data("file", path=str(saved(tmp_path / name))))
    one, other = (locate(task_of(data), tmp_path).fingerprint for data in found)
    assert one == other
    changed = saved(tmp_path, y_test=np.zeros(6, int))
    assert locate(task_of(default_data("file", path=str(changed))), tmp_path).fingerprint != one


STEPS = {"y_train": np.tile(np.arange(5) % 3, (12, 1)), "y_test": np.zeros((6, 5), int)}
VALUES = {"y_train": np.arange(12.0), "y_test": np.arange(6.0)}
OF_OTHERS: list[tuple[Arrays, Arrays, str]] = [
    ({"per_step": True}, STEPS | {"y_train": np.zeros((12, 6), int)}, "of shape (12, 5): found"),
    (
        {"per_step": True},
        STEPS | {"mask_train": np.arange(12)[:, None] < np.full(5, 11)},
        "mask_train must count a time step or more of each sequence: found none of sequence 11",
    ),
    ({"output": "value"}, VALUES | {"y_train": np.full(12, np.inf)}, "found inf at sequence 0"),
    ({"output": "value"}, VALUES | {"y_train": np.ones(12)}, "have more than one value: found 1"),
    ({"output": "value"}, VALUES | {"y_train": np.ones((11, 1))}, "of shape (12,) or (12, 'K')"),
    ({"output": "value"}, VALUES | {"y_train": np.ones((12, 1, 1))}, "found float64 of (12, 1, 1)"),
    ({"output": "value"}, VALUES | {"y_train": np.array(["a"] * 12)}, "with data.output=value"),
    ({"output": "bits"}, VALUES, "y_train must be bits, 0 or 1: found 2.0 at sequence 2"),
]


@pytest.mark.parametrize(("words", "changes", "says"), OF_OTHERS)
def test_faults_of_other_answers_are_refused(
    tmp_path: Path, words: Arrays, changes: Arrays, says: str
) -> None:
    """A (B,) beside a (B, 1) would be spread to (B, B); a row without answers gives NaN."""
    with pytest.raises(ValueError, match="must") as caught:
        read(saved(tmp_path, **changes), **{"output": "class", "per_step": False, **words})
    assert says in str(caught.value)
    assert "own.npz" in str(caught.value)


def test_what_does_not_count_may_be_anything(tmp_path: Path) -> None:
    """NaN behind the end of a sequence, -100 where the mask is false: as libraries leave them."""
    lengths = np.array([5, 3] * 6)
    x, y = arrays()["x_train"], STEPS["y_train"].copy()
    x[1::2, 3:] = np.nan
    y[1::2, 3:], y[:, 0] = -1, -100
    mask = np.ones((12, 5), bool)
    mask[:, 0] = False
    found = loaded(tmp_path, {"per_step": True}, x_train=x, y_train=y, lengths_train=lengths,
                   mask_train=mask, y_test=STEPS["y_test"])  # fmt: skip
    assert found.train.y.min() == 0
    assert np.isfinite(found.train.x).all()
    assert found.train.mask is not None
    assert found.train.mask.sum() == 4 * 6 + 2 * 6


def test_answers_may_be_names(tmp_path: Path) -> None:
    """Classes are numbered by the training set alone; run.json has the names."""
    names = np.array(["low", "high", "mid"])
    changes = {"y_train": names[np.arange(12) % 3], "y_test": names[[0, 0, 2, 1, 1, 1]]}
    task = task_of(default_data("file", path=str(saved(tmp_path, **changes))))
    assert task.identity() == {"classes": "high, low, mid"}
    assert record(task, {})["classes"] == ["high", "low", "mid"]
    as_bytes = {name: y.astype("S") for name, y in changes.items()}
    own = read(saved(tmp_path, **as_bytes), output="class", per_step=False)
    assert own.classes == ("high", "low", "mid")
    saved(tmp_path, **changes)
    own = read(tmp_path / "own.npz", output="class", per_step=False)
    assert own.parts["test"].y.tolist() == [1, 1, 2, 0, 0, 0]
    assert own.remarks[0] == "classes: 0 high, 1 low, 2 mid"
    numbered = saved(tmp_path, classes=np.array(["a", "b", "c"]))
    assert read(numbered, output="class", per_step=False).classes == ("a", "b", "c")


def test_the_validation_part_keeps_shares_and_groups(tmp_path: Path) -> None:
    """The same in all runs; scaled by what is trained on alone."""
    found = loaded(tmp_path, {"valid": 3})
    assert sorted(found.train.y[-3:].tolist()) == [0, 1, 2]
    np.testing.assert_allclose(found.train.x[:9].mean((0, 1)), 0, atol=1e-6)
    groups = np.array(["anna", "ben", "cleo", "dora"] * 3)
    path = str(saved(tmp_path, group_train=groups, group_test=np.array(["ben"] * 6)))
    task = task_of(default_data("file", path=path, valid=0.3))
    task.check()
    assert (task.num_train, task.num_valid) == (9, 3)
    assert "1 groups of group_test are in group_train too" in locate(task, tmp_path).notice
    for valid, says in ((1, "keeps 4 groups whole, and none of them fits"),
                        (12, "must leave training sequences: data.valid=12 of 12")):  # fmt: skip
        with pytest.raises(ConfigError, match=says):
            task_of(default_data("file", path=path, valid=valid)).check()
    alone = str(saved(tmp_path, group_train=np.arange(12) % 3))
    with pytest.raises(ConfigError, match="takes all of class"):
        task_of(default_data("file", path=alone, valid=4)).check()


LINES = """part,sequence,y,group,left,right
train,a,loud,1,0.5,1
train,a,loud,1,1.5,2
train,b,soft,2,2,3
test,a,soft,3,4,5
"""


def test_a_csv_has_a_line_for_each_time_step(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(LINES)
    own = read(path, output="class", per_step=False)
    train = own.parts["train"]
    assert train.x.tolist() == [[[0.5, 1], [1.5, 2]], [[2, 3], [0, 0]]]
    assert train.lengths is not None
    assert (train.lengths.tolist(), train.y.tolist()) == ([2, 1], [0, 1])
    assert own.classes == ("loud", "soft")
    assert own.groups is not None
    assert len(own.groups) == 2
    path.write_text(LINES.replace("loud", "1").replace("soft", "2.5").replace("3,4", "3,4.5"))
    assert read(path, output="value", per_step=False).parts["test"].y.tolist() == [[2.5]]
    by_step = read(path, output="class", per_step=True)
    assert by_step.parts["train"].y.tolist() == [[0, 0], [1, 0]]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("part,", "prt,", "line 1 must name the columns part, sequence, y, and one or more"),
        ("left,right", "left,left", "line 1 must name the columns"),
        ("0.5,1", "0.5", "line 2 must have 6 values, as line 1: found 5"),
        ("1.5,2", "x,2", "line 3 must have a number in column left: found 'x'"),
        ("1.5,2", ",2", "line 3 must have a number in column left: found ''"),
        ("1.5,2", "nan,2", "x_train must hold finite numbers: found nan at sequence 0, time ste"),
        ("train,b", "valdi,b", "line 4 must have train, valid or test as its part"),
        ("a,loud,1,1.5", "a,soft,1,1.5", "line 3 must have the y of sequence a, loud, without"),
        ("test,a", "train,a", "line 5 must follow the other lines of sequence a, from line: found"),
        ("test,a,soft", "test,a,hi", "y_test must have classes of y_train, loud, soft: found hi"),
        ("test,a", "valid,a", "x_test must be there: found only"),
        ("part", '"part', "must be a CSV file: "),
    ],
)
def test_a_line_of_a_csv_that_is_not_of_the_format_is_named(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    path = tmp_path / "own.csv"
    path.write_text(LINES.replace(old, new, 1))
    with pytest.raises(ValueError, match="must") as caught:
        read(path, output="class", per_step=False)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
