"""The contract of `mnist_seq.tasks`, checked for every data set of `conf/data/`.

The YAMLs are found by scanning the folder: a new data set is tested as soon as its YAML exists. A
published one is played by files of its sizes without a stroke on any picture.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mnist_seq import tasks
from mnist_seq.config.paths import options
from mnist_seq.config.reference import default_data
from mnist_seq.notebook import compose, train_run
from mnist_seq.tasks import Located, Task, task_of
from mnist_seq.tasks.batches.split import split
from mnist_seq.tasks.batches.task_data import PartName, TaskData
from mnist_seq.tasks.examples import Examples, checked
from mnist_seq.training.preflight.task import check_task
from tests import fuzz

NAMES = options("data")
PARTS: tuple[PartName, ...] = ("train", "valid", "test")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root where every data set is found, or can be made."""
    folder = tmp_path_factory.mktemp("root")
    fuzz.remember_empty_data(folder)
    return folder


@pytest.fixture(params=NAMES)
def task(request: pytest.FixtureRequest) -> Task:
    return task_of(default_data(request.param))


@pytest.fixture
def located(task: Task, root: Path) -> Located:
    return tasks.locate(task, root)


def load(task: Task, located: Located) -> Examples:
    sizes = {"training set": task.num_train, "test set": task.num_test}
    return checked(task.load(located), task.spec, sizes, task.name)


@pytest.fixture
def data(task: Task, located: Located) -> TaskData:
    parts = split(task.num_train, valid=30, limit=50, generator_seed=0)
    return TaskData(task, load(task, located), split=parts, device=torch.device("cpu"))


def test_a_plan_needs_no_torch(tmp_path: Path) -> None:
    """It asks every task for its spec, its sizes and its rules, for each run of a sweep."""
    program = (
        "import sys; from mnist_seq.config.reference import default_data;"
        "from mnist_seq.tasks import task_of;"
        "tasks = [task_of(default_data(name)) for name in sys.argv[1:]];"
        "[(task.check(), task.spec, task.num_train, task.main) for task in tasks];"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program, *NAMES], check=True, cwd=tmp_path)


def test_its_yaml_goes_with_its_rules(task: Task) -> None:
    """Chosen by its name alone it trains."""
    config = compose(f"data={task.name}", "tracker=none")
    assert check_task(config).spec == task.spec
    assert config.data.name == task.name
    assert task.title


def test_it_is_located_once_and_says_where(task: Task, located: Located, root: Path) -> None:
    """run.json and the other processes of a sweep get it as it is."""
    assert located.requested == located.name == task.name
    assert len(located.fingerprint) == 64
    assert "\n" not in located.notice
    assert tasks.locate(task, root) is located


def test_examples_are_what_the_spec_says_and_always_the_same(task: Task, located: Located) -> None:
    """Two processes of a sweep load them by themselves."""
    first, second = load(task, located), load(task, located)
    for a, b in ((first.train, second.train), (first.test, second.test)):
        assert np.array_equal(a.x, b.x)
        assert np.array_equal(a.y, b.y)


def test_a_batch_has_the_shapes_of_the_spec(task: Task, data: TaskData) -> None:
    """Time first, float32, finite; the last batch of a part may be smaller."""
    spec = task.spec
    for part in PARTS:
        batches = list(data.batches(part, 40, limit=50))
        assert [batch.num_examples for batch in batches] == ([30] if part == "valid" else [40, 10])
        for batch in batches:
            size, steps = batch.num_examples, (spec.time_steps,) * spec.per_step
            width = (spec.num_outputs,) * (spec.output != "class")
            assert batch.x.shape == (spec.time_steps, size, spec.input_size)
            assert batch.x.dtype == torch.float32
            assert bool(batch.x.isfinite().all())
            assert batch.y.shape == (*steps, size, *width)
            assert (batch.lengths is not None) == spec.varied
    positions = torch.tensor([3, 0, 49])
    several = data.train_batch(positions)
    for b, position in enumerate(positions):
        alone = data.train_batch(position.view(1))
        assert torch.equal(several.x[:, b], alone.x[:, 0])


def test_it_says_how_its_answers_are_judged(task: Task, data: TaskData) -> None:
    """Selection, report and trackers read it from run.json, and know no data set."""
    guess = task.guess(data.examples)
    record = json.loads(json.dumps(tasks.record(task, guess), allow_nan=False))
    assert record["main"] in record["metrics"]
    assert {"loss", record["main"]} <= guess.keys() <= record["metrics"].keys()
    for facts in record["metrics"].values():
        assert facts.keys() == {"higher_is_better", "unit", "points", "scale", "decimals"}
    identity = data.identity()
    assert identity["data"] == task.name
    assert (identity["num_train"], identity["num_valid"]) == (50, 30)
    assert identity["num_test"] == task.num_test
    json.dumps(identity)


def test_pictures_are_pictures_or_none(task: Task, data: TaskData, root: Path) -> None:
    """A report and W&B show them to people."""
    shown = data.pictures("test", torch.arange(3))
    assert shown is None or (shown.shape == (3, 28, 28) and shown.dtype == torch.uint8)
    found = type(task).test_pictures(root, [0, 2])
    assert found is None or (shown is not None and np.array_equal(found, shown[[0, 2]].numpy()))


def test_it_trains(task: Task, root: Path, tmp_path: Path) -> None:
    """To a result with the metrics that it names, and to predictions of every test example."""
    words = [f"data={task.name}", f"data.root={root}", "data.limit=40", "data.valid=20"]
    words += ["model.hidden=4", "training.batch_size=20", "tracker=none"]
    run = train_run(compose(*words), tmp_path / "run")
    assert run.state == "finished"
    for part in ("valid", "test"):
        assert {f"{part}/{name}" for name in task.metrics} <= run.metrics.keys()
    record = run.run.record
    assert record["task"]["name"] == record["data"]["data"] == task.name
    assert len(run.predictions[0]) == len(run.predictions[1]) == task.num_test
