"""The functions for notebooks, and the notebooks themselves in a real kernel."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

import mnist_seq
from mnist_seq import build_report, compose, load_run, load_sweep, train_run
from mnist_seq.config import ConfigError, identity
from mnist_seq.config.hydra_errors import defaults
from mnist_seq.config.paths import conf_dir
from mnist_seq.report.read.frame import frame_of
from mnist_seq.report.texts import fmt
from tests.conftest import ROOT, clean_env

WORDS = ("data=mnist_5k", "tracker=none", "data.limit=256", "data.valid=128", "model.hidden=8")

EXECUTE = """
import sys, nbformat, nbclient
for path in sys.argv[1:]:
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
    nbformat.write(notebook, path.rpartition("/")[2])
"""


def test_what_the_package_offers_is_there() -> None:
    for name in mnist_seq.__all__:
        assert getattr(mnist_seq, name)
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        mnist_seq.trian  # noqa: B018


def test_a_run_trained_loaded_and_reported(tmp_path: Path) -> None:
    config = compose(*WORDS, "training.clip_norm=1", "seed=3", "device.kernel=torch")
    run = train_run(config, tmp_path / "a")
    assert (run.state, run.config, load_run(run.folder).config) == ("finished", config, config)
    assert list(run.history["step"]) == [4]
    labels, predictions = run.predictions
    assert run.metrics["test/accuracy"] == pytest.approx((labels == predictions).mean())
    before = run.folder.joinpath("result.json").read_bytes()
    assert train_run(config, run.folder).state == "finished"  # kept, not trained again
    assert run.folder.joinpath("result.json").read_bytes() == before
    assert "finished run" in repr(run)
    assert "test/accuracy" in run._repr_html_()
    report = build_report(tmp_path)
    assert report.markdown().startswith("# ")
    assert "| variant |" in report.markdown()
    shown = report._repr_html_()
    assert "data:image/svg+xml;base64," not in shown, "one run has no curve and no difference"
    assert fmt.number(report.variants[0].mean, 2) in shown
    assert not re.search(r"(?:src|href)=\"(?!data:)|<script", shown), "it needs no network"
    (variant,) = report.variants
    assert report.frame()["mean"].tolist() == [variant.mean]
    assert report.frame()["variant"].tolist() == [variant.name]
    assert variant.mean == pytest.approx(100 * run.metrics["test/accuracy"])
    frame = load_sweep(tmp_path)
    assert frame["test/accuracy"].tolist() == [run.metrics["test/accuracy"]]
    assert [str(frame[key].dtype) for key in ("seed", "num_params", "config.model.hidden")] == [
        "int64"
    ] * 3
    assert str(report.frame()["num_params"].dtype) == "int64"


def test_a_config_shows_what_differs_from_the_defaults() -> None:
    """Eighty keys bury the two that were asked for."""
    config = compose("model=gru", "model.hidden=32", "optimizer=sgd", "seed=1")
    asked = "'seed=1', 'model=gru', 'model.hidden=32', 'optimizer=sgd'"
    assert repr(config) == f"compose({asked})"
    assert repr(compose()) == "compose()"
    shown = config._repr_markdown_().partition("<details>")
    assert "seed: 1\nmodel: gru\nmodel.hidden: 32\noptimizer: sgd\n```" in shown[0]
    assert "batch_size: 64" in shown[2]
    assert str(Path.cwd()) not in shown[2], "a notebook is shared"


def test_whole_numbers_with_gaps_stay_whole() -> None:
    found = frame_of([{"a": 1, "b": 2, "num_params": 3.0, "c": 4.0}, {"a": 2, "c": 5.0}])
    assert {name: str(kind) for name, kind in found.dtypes.items()} == {
        "a": "int64", "b": "Int64", "num_params": "Int64", "c": "float64"
    }  # fmt: skip


def test_the_loaded_model_says_what_the_run_said(tmp_path: Path) -> None:
    """Weights, sequence and scaling are those of the run: its predictions come out again."""
    import torch

    from mnist_seq.tasks.batches.split import split
    from tests.tasks.made import load, locate, make_data

    config = compose(*WORDS, "model=gru", "data.sequence=columns")
    run = train_run(config, tmp_path)
    images = load(locate("mnist_5k", Path(config.data.root)))
    parts = split(len(images.train_labels), valid=0, limit=None, generator_seed=0)
    data = make_data(images, sequence="columns", normalize=config.data.normalize, split=parts)
    with torch.inference_mode():
        said = torch.cat([run.model()(x).argmax(-1) for x, *_ in data.batches("test", 500)])
    assert said.tolist() == run.predictions[1].tolist()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("model.hiden=8",), "did you mean model.hidden"),
        (("model=lstn",), "did you mean model=lstm"),
        (("model.hidden=8,16",), "a sweep"),
        (("ablation=cells",), "a sweep"),
        (("model.name=gru",), "write model=gru"),
    ],
)
def test_a_wrong_word_is_refused_in_one_line(words: tuple[str, ...], says: str) -> None:
    with pytest.raises(ConfigError, match=says) as error:
        compose(*words)
    assert "\n" not in str(error.value)


def test_what_hydras_users_hand_over_is_taken(tmp_path: Path) -> None:
    """Lists of overrides, `${hydra:...}`, and the config of Hydra's own `compose`."""
    words = [*WORDS, "training.clip_norm=2", "device.kernel=torch"]
    asked = identity(compose(*words))
    assert identity(compose(words)) == asked
    assert compose("arm='${hydra:job.config_name}'").arm == "train"
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        config = hydra_compose("train", words, return_hydra_config=True)
        odd = hydra_compose("train", ["arm='${hydra:job.name}'"])
    assert identity(train_run(config, tmp_path / "run").config) == asked
    with pytest.raises(ConfigError, match="is known to runs"):
        train_run(odd)
    with pytest.raises(ConfigError, match="takes the config of one run"):
        train_run("model=gru")  # type: ignore[arg-type]


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be the folder of a run"):
        load_run(tmp_path)
    with pytest.raises(ConfigError, match="no code reads colour"):
        build_report(tmp_path, colour="red")


FORK = f"""
import multiprocessing, os
from mnist_seq import compose, load_run, train_run

def train(seed):
    run = train_run(compose(*{WORDS}, f"seed={{seed}}"), f"forked/{{seed}}")
    return run.history["train/loss"].tolist()

whole = train_run(compose(*{WORDS}, "seed=0"), "whole").history["train/loss"].tolist()
with multiprocessing.get_context("fork").Pool(2) as pool:
    found = pool.map(train, [0, 1])
assert found[0] == whole != found[1]
if not os.fork():
    os._exit(train(2) == whole)
_, status = os.wait()
assert status == 0 and load_run("forked/2").state == "finished"
"""


@pytest.mark.slow
def test_a_notebook_that_forks_after_a_run_trains_on_in_its_children(tmp_path: Path) -> None:
    """Torch's threads and the data that was read stay behind, and no child waits for them."""
    env = clean_env()
    del env["PYTHONWARNINGS"]  # Python itself warns of forks beside threads
    done = subprocess.run(
        [sys.executable, "-c", FORK], cwd=tmp_path, env=env, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_notebook_keeps_its_own_hydra() -> None:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        theirs = GlobalHydra.instance().hydra
        compose("seed=1")
        assert GlobalHydra.instance().hydra is theirs
        defaults()  # what a report looks up
        assert GlobalHydra.instance().hydra is theirs
        assert hydra_compose("train").seed == 0


@pytest.mark.parametrize("name", ["run", "compare"])
def test_the_examples_have_their_outputs_and_name_no_machine(name: str) -> None:
    """They are read on the web, where nothing runs."""
    text = (ROOT / "examples" / f"{name}.ipynb").read_text()
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert all(cell["outputs"] for cell in cells)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert not [o for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"]
    streams = [o for o in outputs if o["output_type"] == "stream"]
    assert len(streams) == text.count("train_run(config") + text.count("train_run(\\n")
    assert all(o["output_type"] in ("stream", "execute_result") for o in outputs), "no HTML a line"
    assert not re.search("u001b|uncommitted", json.dumps(outputs))
    assert "data:image/svg+xml;base64," in text
    assert not re.search(r"[\" '=](?:/(?:home|root|tmp|opt|work|Users|mnt)/|[A-Z]:\\\\)", text)
    assert "cdn." not in text


@pytest.mark.slow
def test_the_examples_run_in_a_real_kernel(tmp_path: Path) -> None:
    env = {**clean_env(), "HOME": str(tmp_path), "JUPYTER_PLATFORM_DIRS": "1"}
    del env["PYTHONWARNINGS"]  # Jupyter's own
    done = subprocess.run(
        [sys.executable, "-c", EXECUTE, str(ROOT / "examples" / "run.ipynb")],
        cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    shown = (tmp_path / "run.ipynb").read_text()
    assert "text/html" in shown
    assert "text/markdown" in shown
    assert "finished" in shown
