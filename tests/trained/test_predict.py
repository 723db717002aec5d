"""What people do with a trained run: predictions on pictures of their own, errors, export."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from rich.console import Console

from mnist_seq import compose, load_run, predict, train_run
from mnist_seq.config import ConfigError
from mnist_seq.tasks import test_pictures as pictures_of
from mnist_seq.trained.files import fitted, read
from mnist_seq.trained.onnx_file import FromExamples, _made, onnx_file
from mnist_seq.trained.predictions import predict as said_of
from mnist_seq.trained.reading import Reading
from mnist_seq.trained.run import LoadedRun
from mnist_seq.training.preflight.count import unseeded
from tests import warm
from tests.conftest import clean_env, some

WORDS = ("data=mnist_5k", "tracker=none", "model=gru", "model.hidden=8", "data.limit=320",
         "data.valid=100", "training.eval_every=2", "training.keep_best=2",
         "training.evaluate=best", "data.sequence=permuted", "data.chunk=28",
         "data.normalize=standard")  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> LoadedRun:
    return train_run(compose(*WORDS), tmp_path_factory.mktemp("runs") / "gru")


@pytest.fixture(scope="module")
def pictures(run: LoadedRun) -> np.ndarray:
    found = pictures_of("mnist_5k", [Path(run.config.data.root)], range(1000))
    assert found is not None
    return found


def test_predictions_are_those_of_the_run(run: LoadedRun, pictures: np.ndarray) -> None:
    """Bytes, fractions, tensors with a channel, one or many: the run's order and scale."""
    found = run.predict(pictures)
    labels, predictions = run.predictions
    assert found.answers.tolist() == predictions.tolist()
    assert found.probabilities is not None
    np.testing.assert_allclose(found.probabilities.sum(-1), 1, rtol=1e-5, atol=1e-6)
    wanted = found.probabilities[:3]
    for given in (pictures[:3] / 255, torch.from_numpy(pictures[:3]).unsqueeze(1).float() / 255,
                  pictures[:3].astype(int), 255 - pictures[:3]):  # fmt: skip
        ground: Any = "white" if given is not None and np.median(np.asarray(given)) > 9 else "auto"
        assert run.predict(given, ground=ground).probabilities == pytest.approx(
            wanted, rel=1e-3, abs=1e-4
        )
    assert len(run.predict(pictures[0])) == 1
    wrong = run.misclassified()
    assert wrong.indexes.tolist() == np.flatnonzero(labels != predictions).tolist()
    assert wrong.pictures is not None
    assert (wrong.pictures == pictures[wrong.indexes]).all()
    first = wrong.indexes[0]
    assert wrong.captions()[0] == f"{labels[first]}, said {predictions[first]}"
    assert "data:image/png;base64," in wrong._repr_html_() + found._repr_html_()


def test_weights_are_chosen_by_name(run: LoadedRun) -> None:
    """Tested are here the best; the last step has others."""
    tested, best, last = (run.model(which).state_dict() for which in ("tested", "best", "last"))
    assert all(torch.equal(tested[name], best[name]) for name in tested)
    saved = torch.load(run.folder / "checkpoint.pt", weights_only=True)["model"]
    assert all(torch.equal(last[name], saved[name]) for name in tested)
    values = {row["step"]: row["valid/accuracy"] for row in run.run.history}
    assert run.kept == dict(sorted(values.items(), key=lambda of: (-of[1], of[0]))[:2])
    first, second = run.kept
    kept = run.model(first).state_dict()
    assert all(torch.equal(best[name], kept[name]) for name in best)
    assert not torch.equal(run.model(second).state_dict()["head.weight"], best["head.weight"])
    with pytest.raises(ValueError, match="tested, best, last or a step: which='first'"):
        run.model("first")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=rf"keeps the weights of {first}, {second}; which=1"):
        run.predict(np.zeros((28, 28), np.uint8), which=1)


def test_an_exported_run_reads_bytes(run: LoadedRun, pictures: np.ndarray, tmp_path: Path) -> None:
    import onnxruntime

    file = run.export("onnx", tmp_path / "gru.onnx")
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    _, found = session.run(None, {"examples": pictures[:5]})
    assert found == pytest.approx(run.predict(pictures[:5]).probabilities, rel=1e-3, abs=1e-4)
    about = session.get_modelmeta().custom_metadata_map
    assert about["config_hash"] == run.run.identity
    assert "0 black to 255 white" in about["examples"]
    with pytest.raises(ConfigError, match=r"write run\.export"):
        run.export("torchscript")


OTHER = {
    "pixels": ("data=mnist_5k", "data.sequence=pixels", "data.chunk=112"),
    "columns": ("data=mnist_5k", "data.sequence=columns", "model.bidirectional=true"),
    "colour": ("data=cifar10",),
    "signal": ("data=mnist1d",),
    "tokens": ("data=parity", "data.length=6", "data.probes=[]"),
    "embedded": ("data=mqar", "data.length=16", "data.pairs=2"),
    "values": ("data=adding", "data.length=7"),
    "answers at each step": ("data=copying", "data.length=3", "data.items=2"),
}
FAST = ("pixels", "answers at each step")


@pytest.mark.parametrize(
    "kind", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in OTHER]
)
def test_other_tasks_are_read_and_exported_too(kind: str) -> None:
    config = compose(*OTHER[kind], "model.hidden=4", "tracker=none")
    reading = Reading(config)
    model = unseeded(config.model, reading.spec).eval()
    x = _made(reading, 3)[0].numpy()
    given = reading.examples(x)
    found = said_of(model, reading, given)
    spec = reading.spec
    assert found.answers.shape[: 1 + spec.per_step] == (3, spec.time_steps)[: 1 + spec.per_step]
    outside = FromExamples(model, reading)
    with torch.no_grad():
        _, chances = outside(torch.from_numpy(given))
    if found.probabilities is not None:
        np.testing.assert_allclose(found.probabilities, chances, rtol=1e-4, atol=1e-5)
    assert onnx_file(model, reading, {}), "compared with ONNX Runtime inside"


def test_recordings_are_scaled_as_training_scaled_them(tmp_path: Path) -> None:
    """Far from mean 0 and sd 1, in several lengths: predictions and the file are the run's."""
    import onnxruntime

    draw, arrays, own = np.random.default_rng(0), dict[str, np.ndarray](), tmp_path / "own.npz"
    for part, num in (("train", 60), ("test", 20)):
        y, lengths = np.arange(num) % 3, 3 + np.arange(num) % 4
        x = 300 + 50 * (draw.normal(size=(num, 6, 2)) + y[:, None, None])
        x *= (np.arange(6) < lengths[:, None])[..., None]
        arrays |= {f"x_{part}": x.astype(np.float32), f"y_{part}": y, f"lengths_{part}": lengths}
    np.savez(own, **arrays)  # type: ignore[arg-type]
    words = ("data=file", f"data.path={own}", "data.valid=10", "training.epochs=6", "model=gru")
    small = ("model.hidden=4", "tracker=none", "optimizer.lr=0.05")
    run = train_run(compose(*words, *small), tmp_path / "run")
    given = {"examples": arrays["x_test"], "lengths": arrays["lengths_test"]}
    found = run.predict(given["examples"], lengths=given["lengths"])
    _, predictions = run.predictions
    assert found.answers.tolist() == predictions.tolist()
    assert len(set(predictions.tolist())) > 1, "the net tells classes apart"
    session = onnxruntime.InferenceSession(run.export("onnx").read_bytes())
    _, chances = session.run(None, given)
    np.testing.assert_allclose(chances, found.probabilities, rtol=1e-4, atol=1e-5)
    about = onnxruntime.InferenceSession(run.export("onnx", is_scaled=True).read_bytes())
    about = about.get_modelmeta().custom_metadata_map
    assert about["examples"].endswith("training set; that scale is not inside")
    record = run.run.record
    del record["scale"]  # as runs of older versions are
    with pytest.raises(ConfigError, match=r"does not hold; write run\.export\('onnx', is_scaled=T"):
        run.export("onnx")
    with pytest.raises(ValueError, match="does not hold; scale the examples so"):
        run.predict(given["examples"], lengths=given["lengths"])


def test_padding_that_nobody_can_see_is_not_scaled() -> None:
    config = compose("data=japanese_vowels", "data.read_at=padded_end")
    scale = {"mean": [1.0] * 12, "sd": [2.0] * 12}
    reading = Reading(config, {"scale": scale})
    given = np.ones((1, *reading.shape), np.float32)
    with pytest.raises(ValueError, match=r"\(data.read_at=padded_end\); scale the examples so"):
        reading.examples(given)
    assert (reading.examples(given, is_scaled=True) == given).all()
    with pytest.raises(ValueError, match=r"must have 12 channels: found 11 and 11"):
        Reading(config, {"scale": {key: each[1:] for key, each in scale.items()}})


BYTES = np.zeros((2, 28, 28), np.uint8)
BYTES[:, 9:19, 14] = 200


@pytest.mark.parametrize(("given", "says"), [
    (BYTES.astype(float), "floats are 0 .* to 1 .*: found 0 to 200; give bytes"),
    (BYTES / 255 - 0.13, "before any normalisation: found -0.13"),
    ((BYTES > 0).astype(np.uint8), "0 .* to 255 .*: found 0 to 1; give floats, or multiply"),
    (BYTES.astype(int) * 2, "to 255 .*: found 0 to 400"),
    (BYTES[:, :14], r"images of \[28, 28\], one or \[N, 28, 28\]: found \[2, 14, 28\]"),
    (np.moveaxis(BYTES, 0, 1), r"found \[28, 2, 28\]; move the axis N to the front"),
    (BYTES[:0], r"found \[0, 28, 28\]"),
    (255 - BYTES, "2 of 2 pictures have a white border; choose ground=white"),
    (np.full((28, 28), np.nan), "finite numbers"),
    (np.full((28, 28), "a"), "must be numbers"),
])  # fmt: skip
def test_what_a_run_does_not_read_is_refused(given: np.ndarray, says: str) -> None:
    """Pictures of 0-255 read 20 % where the run reads 82 %, and nothing was said."""
    with pytest.raises(ValueError, match=says) as error:
        Reading(compose("data=mnist_5k")).examples(given)
    assert "\n" not in str(error.value)


def digit(folder: Path, name: str = "seven.png", *, mode: str = "L") -> Path:
    """A seven as people draw it: black on white, 120 pixels wide."""
    drawn = Image.new(mode, (120, 100), "white")
    ImageDraw.Draw(drawn).line([(30, 20), (80, 20), (50, 90)], fill="black", width=9)
    drawn.save(folder / name)
    return folder / name


def test_a_picture_is_made_as_those_of_mnist(tmp_path: Path) -> None:
    grey = np.asarray(Image.open(digit(tmp_path)))
    made = fitted(255 - grey, is_white=False)
    assert (fitted(grey, is_white=True) == 255 - made).all()
    ink = np.argwhere(made > 60)
    assert ink.max(0)[0] - ink.min(0)[0] in (18, 19), "scaled to 20 pixels"
    rows = np.arange(28)
    for axis in (0, 1):
        mass = made.sum(axis=1 - axis, dtype=float)
        assert abs((mass * rows).sum() / mass.sum() - 13.5) <= 1.0
    with pytest.raises(ValueError, match="nothing on it"):
        fitted(np.full((50, 50), 255, np.uint8), is_white=True)


def test_a_picture_of_16_bits_is_the_same_picture(tmp_path: Path) -> None:
    """Pillow cuts its numbers at 255, so that all that is not black was white."""
    grey = (np.arange(28 * 28) % 256).astype(np.uint8).reshape(28, 28)
    Image.fromarray(grey.astype(np.uint16) * 257).save(file := tmp_path / "wide.png")
    assert (read([file], (28, 28), fit="none", is_white=False).examples[0] == grey).all()
    Image.fromarray(grey.astype(np.float32)).save(file := tmp_path / "wide.tiff")
    with pytest.raises(ValueError, match="must have 8 or 16 bits: its values are float32"):
        read([file], (28, 28), fit="none", is_white=False)


def test_labels_of_an_archive_are_one_for_each_example(tmp_path: Path) -> None:
    def labels(x: np.ndarray, y: Any) -> Any:
        np.savez(tmp_path / "own.npz", x=x, y=y)
        return read([tmp_path / "own.npz"], (28, 28), fit="none", is_white=False).labels

    assert labels(BYTES, [7.0, 1.0]).tolist() == [7, 1]
    assert labels(BYTES[0], 7).tolist() == [7]
    assert labels(BYTES, [0.5, 1.0]) is None
    with pytest.raises(ValueError, match="a label of each example: y has 3 for 2"):
        labels(BYTES, [7, 1, 2])
    np.save(tmp_path / "own.npy", np.float32(3))  # no array at all
    assert len(read([tmp_path / "own.npy"], (28, 28), fit="none", is_white=False).names) == 1


def asked(run: LoadedRun, **changes: Any) -> dict[str, Any]:
    keys = {"which": "tested", "ground": "auto", "fit": "none", "out": "auto"}
    return {"run": str(run.folder), "images": "none", **keys, **changes}


def test_the_command_reads_pictures(run: LoadedRun, tmp_path: Path) -> None:
    """A table, and a picture of what was read."""
    digit(tmp_path, "a.png"), digit(tmp_path, "b.png", mode="RGB")
    console = Console(record=True, width=100)
    out = tmp_path / "read.png"
    found = predict.run(
        asked(run, images=str(tmp_path), ground="white", fit="mnist", out=str(out)), console
    )
    text = console.export_text()
    assert " ".join(text.split()).startswith(
        "2 images of 28 x 28, read as permuted (28 time steps of 28), cut out and centred as "
        "MNIST's, inverted; by "
    )
    assert [line.split()[:2] for line in text.splitlines() if ".png  " in line] == [
        [name, str(answer)] for name, answer in zip(("a.png", "b.png"), found.answers, strict=True)
    ]
    with Image.open(out) as drawn:
        assert drawn.width > drawn.height
    own = str(run.folder / "predictions.npz")
    labels, predictions = run.predictions
    predict.run(asked(run, images=own), console)
    right = int((labels[:10] == predictions[:10]).sum())
    assert f"{right} of 10 are as labelled" in console.export_text()
    assert (run.folder / "predicted.png").exists()
    assert load_run(run.folder).state == "finished"


@pytest.mark.parametrize(("changes", "says"), [
    ({}, r"28 x 28 pixels, and .*seven.png has 120 x 100; choose fit=mnist"),
    ({"fit": "mnist"}, "say which it is, ground=white"),
    ({"fit": "mnist", "ground": "black"}, None),
    ({"fit": "big"}, "fit must be one of none, mnist: fit=big"),
    ({"which": "first"}, "which must be tested, best, last or the step of .*: which=first"),
    ({"images": "nobody.png"}, "there is no .*nobody.png"),
    ({"out": "a.txt"}, "out must be a .png"),
    ({"out": "no/where.png"}, "in a folder that exists"),
])  # fmt: skip
def test_the_command_refuses_in_one_line(
    run: LoadedRun, tmp_path: Path, changes: dict[str, str], says: str | None
) -> None:
    values = asked(run, **{"images": str(digit(tmp_path)), **changes})
    if says is None:  # the whole picture is white then, and so its own ink
        predict.run(values | {"out": "none"}, Console(record=True))
        return
    with pytest.raises(ValueError, match=says) as error:
        predict.run(values, Console(record=True))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("words", "says"), some([
    ([], "run must be given: run=???; write run=outputs/runs/<date>"),
    (["image=a.png"], "no code reads image; did you mean images?"),
    (["own"], "a run's folder is the value of a key: own; write run=own"),
], 1))  # fmt: skip
def test_a_wrong_word_is_one_line(words: list[str], says: str, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    done = warm.run(
        [sys.executable, "-m", "mnist_seq.predict", *words],
        cwd=tmp_path, env=clean_env(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"mnist_seq: {says}\n")
