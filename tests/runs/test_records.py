"""What a file of a run may hold, whoever wrote it; all else is refused with its name."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mnist_seq.runs.disk import limits, parsing
from mnist_seq.runs.folder import RunFolder
from mnist_seq.runs.sweep_folder import SweepFolder
from tests.report.sweeps import write_run

DEEP = "[" * 900 + "]" * 900


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return write_run(tmp_path_factory.mktemp("runs"), name="run")


@pytest.fixture
def run(whole: RunFolder, tmp_path: Path) -> RunFolder:
    for path in whole.path.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return RunFolder(tmp_path)


def changed(path: Path, key: str, text: str) -> None:
    """A JSON file with another value at a dotted key, as text, without its checksum."""
    values = json.loads(path.read_text())
    del values["crc32"]
    *groups, last = key.split("/")
    inner = values
    for group in groups:
        inner = inner[group]
    inner[last] = "<here>"
    path.write_text(json.dumps(values).replace('"<here>"', text))


def refusal(read: Callable[[], object], name: str) -> str:
    with pytest.raises(ValueError, match=name) as error:
        read()
    assert len(str(error.value).splitlines()) == 1
    assert len(str(error.value)) < 1000
    return str(error.value)


@pytest.mark.parametrize(
    ("key", "text", "rule"),
    [
        ("config", "null", "config must be a group of keys: None"),
        ("config/data", "3", "config.data must be a group of keys: 3"),
        ("config/model", "[]", "config.model must be a group of keys"),
        ("config/model/name", "7", "config.model.name must be text: 7"),
        ("config/seed", '"0"', "config.seed must be a whole number: '0'"),
        ("config/seed", "9" * 400, "digits"),
        ("config/seed", "-1", "config.seed must be 0 or more: -1"),
        ("config/tracker/tags", "null", "config.tracker.tags must be a list: None"),
        ("config/training/epochs", "1e999", "larger than float64 can hold"),
        ("config/training/epochs", "NaN", "NaN is no number of JSON"),
        ("config/training/epochs", "[{}]", "config.training.epochs must be a list of single"),
        ("config/training/epochs", DEEP, "nested in more than 16 levels"),
        ("config/training/epochs", "[" * 3000 + "]" * 3000, "nested in more than 16 levels"),
        ("config/a.b", "3", "config must have keys without dots: 'a.b'"),
        ("data/num_test", '"400"', "data.num_test must be a whole number: '400'"),
        ("data/odd", "{}", "data.odd must be one value"),
        ("name", '"\\ud800"', "half a character"),
        ("device", '"cpu", "device": "cuda"', "the key 'device' is there twice"),
        ("wandb", '{"id": "../../x"}', "wandb.id must have letters, digits"),
        ("overrides", '"model=lstm"', "overrides must be a list"),
        ("task", '{"num_outputs": 1e12}', "task.num_outputs"),
        ("task", '{"metrics": {"m": {"higher_is_better": true, "decimals": 999}}}', "decimals"),
    ],
)
def test_a_record_of_another_kind_is_refused_with_its_key(
    run: RunFolder, key: str, text: str, rule: str
) -> None:
    """It is checked where it is read, so that no code behind it meets such a value."""
    changed(run.record_path, key, text)
    assert rule in refusal(run.record, "run.json")


@pytest.mark.parametrize(
    ("key", "text", "rule"),
    [
        ("state", '"odd"', "state must be 'finished' or 'diverged': 'odd'"),
        ("metrics", "[]", "metrics must be a group of keys: []"),
        ("seconds", "-1.5", "seconds must be 0 or more: -1.5"),
        ("seconds", "null", "seconds must be a number: None"),
        ("num_params", "true", "num_params must be a number: True"),
        ("best", '{"valid/accuracy": "0.9"}', "best.valid/accuracy must be a number: '0.9'"),
        (
            "metrics",
            '{"test/loss": 1e308}',
            "metrics.test/loss must be 1e+40 or less: 1e+308",
        ),
    ],
)
def test_a_result_of_another_kind_is_refused_with_its_key(
    run: RunFolder, key: str, text: str, rule: str
) -> None:
    changed(run.result_path, key, text)
    assert rule in refusal(run.result, "result.json")
    refusal(run.state, "result.json")


def test_lines_of_another_kind_are_counted_and_left_out(run: RunFolder) -> None:
    """They could be of no evaluation: a step that is text, a time before the start."""
    odd = ('{"step": "1"}', '{"step": 1, "seconds": -1}', '{"step": 1, "x": 1e308}', "[]", "7",
           '{"step": 1, "step": 2}', '{"a": {"b": 1}}', "\0" * 100, '{"step": NaN}', '{"step": -1}',
           DEEP, '{"step": 1e999}', '{"step": true}', '{"step": 1, "x": "0.9"}')  # fmt: skip
    before = run.metrics()
    with run.metrics_path.open("a") as file:
        file.write("\n".join(odd) + "\n")
    assert run.metrics() == before
    assert run.num_damaged_metrics() == len(odd)


ONES, FEW = np.ones(4, np.uint8), np.ones(3, np.uint8)


def npz(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


def declared(gib: float) -> bytes:
    """An .npz of some bytes which says that its arrays take this much when they are unpacked."""
    stream = io.BytesIO(npz(label=ONES, prediction=ONES))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.filelist[0].file_size = int(gib * 2**30)
        archive.writestr("more", "")  # the list of parts is written anew
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (npz(label=ONES), "lacks prediction"),
        (npz(label=ONES, prediction=FEW), "labels have the shape"),
        (npz(label=ONES[:0], prediction=ONES[:0]), "labels have the shape"),
        (npz(label=np.float64(1), prediction=np.float64(1)), "labels have the shape"),
        (npz(label=ONES, prediction=ONES * np.nan), "prediction must be from"),
        (npz(label=ONES, prediction=ONES * 1e300), "prediction must be from"),
        (npz(label=ONES, prediction=np.array(list("abcd"))), "prediction must have numbers"),
        (npz(label=ONES, prediction=ONES, mask=ONES), "mask has the type"),
        (npz(label=ONES, prediction=ONES, mask=FEW > 0), "mask has the shape"),
        (npz(label=ONES, prediction=ONES, image=ONES), "image has the shape"),
        (npz(label=ONES, prediction=np.array([None] * 4)), "objects"),
        (declared(2), "must have 512.0 MiB or less: it has 2.0 GiB"),
    ],
)
def test_predictions_of_another_kind_are_refused(run: RunFolder, content: bytes, rule: str) -> None:
    run.predictions_path.write_bytes(content)
    assert rule in refusal(run.predictions, "predictions.npz")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("a: &a [x, x]\nb: &b [*a, *a]\nsampler: *b\n", "alias"),
        ("sampler: " + "[" * 500, "nested in more than 16 levels"),
        ("sampler:" + " " * (2**20), "must have 1.0 MiB or less: it has 1.0 MiB"),
        ("hydra: {sweeper: {sampler: '${oc.env:HOME}'}}", "is no name"),
        ("sampler: \udcff", "multirun.yaml"),
    ],
)
def test_the_config_of_a_sweep_is_parsed_within_limits(
    tmp_path: Path, text: str, rule: str
) -> None:
    """An alias bomb of some bytes stands for terabytes; an interpolation would read the machine."""
    folder = SweepFolder(tmp_path)
    folder.config_path.write_bytes(text.encode(errors="surrogateescape"))
    assert rule in refusal(folder.sampler, "multirun.yaml")


def test_what_is_too_large_is_refused_with_its_size_before_it_is_read(run: RunFolder) -> None:
    """Sparse files of 5 GiB took as much memory, and minutes."""
    for path in (run.record_path, run.result_path, run.metrics_path, run.predictions_path):
        with path.open("ab") as file:
            file.truncate(5 * 2**30)
    for path, read in {
        run.record_path: run.record,
        run.result_path: run.result,
        run.metrics_path: run.metrics,
        run.predictions_path: run.predictions,
    }.items():
        assert "it has 5.0 GiB" in refusal(read, path.name)
    run.write_error("first\nlast words")
    with run.error_path.open("r+b") as file:
        file.truncate(5 * 2**30)
    assert run.error() == "\nerror.txt has 5.0 GiB, of which the last 1.0 MiB are read\n"


def test_a_line_or_a_file_of_too_many_values_is_refused(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = run.metrics()
    with run.metrics_path.open("a") as file:
        file.write(" " * 3000 + "\n")
    monkeypatch.setattr(limits, "LINE", 1000)
    assert (run.metrics(), run.num_damaged_metrics()) == (before, 1)
    monkeypatch.setattr(limits, "MAX_DAMAGED", 0)
    assert "more than 0 are damaged" in refusal(run.metrics, "metrics.jsonl")
    monkeypatch.setattr(limits, "MAX_DAMAGED", 1)
    monkeypatch.setattr(limits, "MAX_VALUES", 10)
    assert "10 values or fewer" in refusal(run.metrics, "metrics.jsonl")


def test_json_has_no_mark_of_byte_order_and_is_utf8() -> None:
    for content in (b"\xef\xbb\xbf{}", "{}".encode("utf-16"), b'{"a": "\xff"}'):
        with pytest.raises(ValueError):  # noqa: PT011
            parsing.from_json(content)
