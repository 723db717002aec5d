"""Files of the UEA and UCR archive, as a folder for `data=file`."""

from pathlib import Path

import pytest

from mnist_seq.config.reference import default_data
from mnist_seq.tasks import locate, task_of
from mnist_seq.tasks.sources.own_arrays import place_of
from mnist_seq.tasks.sources.own_file import read

HEADER = """#a comment
@problemName Claps
@timeStamps false
@univariate false
@classLabel true soft loud
@data
"""
TRAIN = f"{HEADER}1,2,3:4,5,6:loud\n7.5:8e-1:soft\n\n"
TEST = f"{HEADER}1,2:3,4:soft\n"


def folder_of(parent: Path, train: str = TRAIN, test: str = TEST) -> Path:
    folder = parent / "Claps"
    folder.mkdir(parents=True)
    (folder / "Claps_TRAIN.ts").write_text(train)
    (folder / "Claps_TEST.ts").write_text(test)
    return folder


def test_channels_are_divided_by_colons_and_classes_numbered_by_the_header(tmp_path: Path) -> None:
    """The header's order: numbered file by file, a class that test lacks would shift all codes."""
    folder = folder_of(tmp_path)
    (folder / "Claps_eq_TRAIN.ts").write_text(TRAIN)  # as aeon has beside some sets
    (folder / "Claps_eq_TEST.ts").write_text(TEST)
    own = read(folder, output="class", per_step=False)
    train, test = own.parts["train"], own.parts["test"]
    assert train.x.tolist() == [
        [[1, 4], [2, 5], [3, 6]],
        [[7.5, pytest.approx(0.8)], [0, 0], [0, 0]],
    ]
    assert train.lengths is not None
    assert (train.lengths.tolist(), train.y.tolist(), test.y.tolist()) == ([3, 1], [1, 0], [0])
    assert (own.input_size, own.num_outputs, own.time_steps) == (2, 2, 3)


def test_answers_may_be_numbers(tmp_path: Path) -> None:
    words = {"@classLabel true soft loud": "@targetLabel true", "loud": "-0.5", "soft": "2"}
    train, test = TRAIN, TEST
    for word, instead in words.items():
        train, test = train.replace(word, instead), test.replace(word, instead)
    own = read(folder_of(tmp_path, train, test), output="value", per_step=False)
    assert own.parts["train"].y.tolist() == [[-0.5], [2.0]]


@pytest.mark.parametrize(
    ("train", "test", "says"),
    [
        (TRAIN.replace("soft\n\n", "quiet\n"), TEST, "line 8 must end with a class of @classLabel"),
        (
            TRAIN.replace("4,5,6", "4,5"),
            TEST,
            "line 7 must have channels of one length: found 2 and 3",
        ),
        (TRAIN.replace("7.5:8e-1", "7.5"), TEST, "line 8 must have the 2 channels of the first"),
        (TRAIN.replace("5,6", "x,6"), TEST, "line 7 must have numbers: found x"),
        (
            TRAIN.replace("5,6", "?,6"),
            TEST,
            "x_train must hold finite numbers: found nan at sequence",
        ),
        (
            TRAIN.replace("1,2,3:4,5,6:loud", "1,2,3"),
            TEST,
            "line 7 must have channels and an answer",
        ),
        (TRAIN.replace("Stamps false", "Stamps true"), TEST, "line 3 must be @timeStamps false"),
        (HEADER, TEST, "must have sequences behind a line @data"),
        ("1,2:a\n", TEST, "line 1 must begin with @"),
        (TRAIN, TEST.replace("soft loud", "soft high"), "must name the classes of Claps_TRAIN.ts"),
    ],
)
def test_a_line_that_is_not_of_the_format_is_named(
    tmp_path: Path, train: str, test: str, says: str
) -> None:
    with pytest.raises(ValueError, match="must") as caught:
        read(folder_of(tmp_path, train, test), output="class", per_step=False)
    assert says in str(caught.value)
    assert "Claps" in str(caught.value)


def test_a_folder_without_the_two_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must have one file <name>"):
        read(tmp_path, output="class", per_step=False)


def test_a_set_of_a_package_is_found_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package is not imported: aeon takes seconds to."""
    folder_of(tmp_path / "aeon" / "datasets" / "data")
    (tmp_path / "aeon" / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    located = locate(task_of(default_data("file", path="aeon:Claps")), tmp_path)
    assert located.files[0][0] == str(tmp_path / "aeon" / "datasets" / "data" / "Claps")
    with pytest.raises(ValueError, match="must be a set that aeon carries: Claps"):
        place_of("aeon:Bells")
