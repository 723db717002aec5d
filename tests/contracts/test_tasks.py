"""The contract of `mnist_seq.tasks`, checked for every data set of `conf/data/`.

The YAMLs are found by scanning the folder: a new data set is tested as soon as its YAML exists. A
published one is played by files of its sizes without a stroke on any picture.
"""

import itertools
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
from mnist_seq.tasks import Located, Task, task_class, task_of
from mnist_seq.tasks.batches.batch import Batch
from mnist_seq.tasks.batches.split import split
from mnist_seq.tasks.batches.stream_data import StreamData
from mnist_seq.tasks.batches.task_data import PartName, TaskData
from mnist_seq.tasks.examples import Examples, best_constant, checked
from mnist_seq.tasks.streams import Stream
from mnist_seq.training.preflight.task import check_task
from tests import fuzz

NAMES = options("data")
GENERATED = [name for name in NAMES if task_class(name).is_stream]
PARTS: tuple[PartName, ...] = ("train", "valid", "test")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root where every data set is found, or can be made."""
    folder = tmp_path_factory.mktemp("root")
    fuzz.remember_empty_data(folder)
    return folder


@pytest.fixture(autouse=True)
def with_a_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the working directory, where `data=file` looks for one."""
    if not (root / "sequences.npz").exists():
        fuzz.write_archive(root / "sequences.npz")
    monkeypatch.chdir(root)


@pytest.fixture(params=NAMES)
def task(request: pytest.FixtureRequest) -> Task:
    name, sizes = request.param, {"valid": 30, "test": 60, "limit": 50}
    return task_of(default_data(name, **(sizes if name in GENERATED else {})))


@pytest.fixture
def located(task: Task, root: Path) -> Located:
    return tasks.locate(task, root)


def load(task: Task, located: Located) -> Examples:
    return checked(task.load(located), task.spec, task.num_loaded(), task.name)


@pytest.fixture
def data(task: Task, located: Located) -> TaskData:
    if isinstance(task, Stream):
        return stream_of(task, load(task, located))
    parts = split(task.num_train, valid=30, limit=50, generator_seed=0)
    return TaskData(task, load(task, located), split=parts, device=torch.device("cpu"))


def stream_of(task: Stream, examples: Examples, *, seed: int = 7) -> StreamData:
    return StreamData(task, examples, seed=seed, batch_size=20, is_shuffled=True,
                      device=torch.device("cpu"))  # fmt: skip


def made_of(name: str, **changes: object) -> tuple[Stream, Examples]:
    """A generated task and its examples."""
    task = task_of(default_data(name, **{"valid": 4, "test": 6, **changes}))
    assert isinstance(task, Stream)
    return task, load(task, task.locate(Path()))


def same(a: Batch, b: Batch) -> bool:
    return all(map(torch.equal, a.tensors, b.tensors))


def test_a_plan_needs_no_torch(tmp_path: Path) -> None:
    """It asks every task for its spec, its sizes and its rules, for each run of a sweep."""
    fuzz.write_archive(tmp_path / "sequences.npz")
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
    for part in PARTS[data.is_stream :]:  # a stream has no training set
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
    if data.is_stream:
        return
    positions = torch.tensor([3, 0, 49])
    several = data.train_batch(positions)
    for b, position in enumerate(positions):
        alone = data.train_batch(position.view(1))
        assert torch.equal(several.x[:, b], alone.x[:, 0])


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_batch_is_a_function_of_seed_and_step(name: str) -> None:
    """A resumed run begins at any step; valid and test are those of all other runs."""
    task, examples = made_of(name)
    one, other = (stream_of(task, examples, seed=seed) for seed in (1, 2))
    steps = [one.batch_at(step) for step in (0, 1, 2)]
    assert same(stream_of(task, examples, seed=1).batch_at(2), steps[2])
    assert same(one.batch_at(0), steps[0])
    assert not any(same(a, b) for a, b in itertools.pairwise(steps))
    for step, batch in enumerate(steps):
        theirs = other.batch_at(step)
        assert len(theirs.x) == len(batch.x), "a stack trains the batches of a step as one"
        assert not torch.equal(theirs.x, batch.x)
        checked_batch(task, one.length_at(step), batch)
    assert all(map(same, one.batches("valid", 4), other.batches("valid", 4)))
    assert len(steps[0].x) == task.spec.time_steps or task.spec.shortest


def checked_batch(task: Stream, length: int, batch: Batch) -> None:
    """Shapes and values of a training batch, as `checked` wants those of a set."""
    spec = task.spec_at(length)
    assert batch.x.shape[::2] == (spec.time_steps, spec.input_size)
    assert bool(batch.x.isfinite().all())
    if spec.output == "class":
        assert int(batch.y.min()) >= 0
        assert int(batch.y.max()) < spec.num_outputs
    if spec.input == "token":
        assert bool((batch.x.sum(-1) == 1).all())
    assert (batch.mask is None) == (task.load(task.locate(Path())).test.mask is None)


@pytest.mark.parametrize("name", GENERATED)
def test_a_limited_stream_comes_again_in_another_order(name: str) -> None:
    """So many examples are the training set; a smaller last batch stays the last one."""
    task, examples = made_of(name, limit=90)  # of 20, 20, 20, 20 and 10
    data = stream_of(task, examples)
    epochs = [[data.batch_at(step) for step in range(5 * e, 5 * e + 5)] for e in (0, 1, 2)]
    assert [batch.num_examples for batch in epochs[1]] == [20, 20, 20, 20, 10]
    orders = [[[same(b, first) for first in epochs[0]].index(True) for b in epoch]
              for epoch in epochs]  # fmt: skip
    assert all(sorted(order) == list(range(5)) for order in orders)
    assert len(set(map(tuple, orders))) > 1


@pytest.mark.parametrize("name", GENERATED)
def test_the_guess_of_a_generated_task_is_that_of_its_targets(name: str) -> None:
    """A formula, and not fitted to a small test set; several samples of it must agree."""
    task, _ = made_of(name)
    spec = task.spec
    (part, test) = (task.make(task.draw_by_task(i), 3000, task.settings.length) for i in (8, 9))
    sizes = {"training set": 3000, "test set": 3000}
    found = best_constant(checked(Examples(part, test), spec, sizes, name).train, spec)
    guess = task.guess(Examples(part, test))
    for metric in guess.keys() & found.keys():
        assert found[metric] == pytest.approx(guess[metric], abs=0.03, rel=0.04), metric


@pytest.mark.parametrize("name", GENERATED)
def test_lengths_are_lengths(name: str) -> None:
    """Impossible ones are refused; a probe is as long as it says, and always the same."""
    task, examples = made_of(name)
    assert task.lengths()
    length = next(n for n in range(task.settings.length + 1, 10**4) if not task.rule(n))
    probed, _ = made_of(name, probes=[length])
    probed.check()
    assert probed.locate(Path()) == task.locate(Path()), "other probes are the same data"
    (batch,), (again,) = (list(stream_of(probed, examples).probe(length)) for _ in "ab")
    assert same(batch, again)
    assert batch.num_examples == 6
    assert len(batch.x) == task.spec_at(length).time_steps > task.spec.time_steps
    assert task.guess_at(length).keys() == task.guess(examples).keys()


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
    words += ["data.test=60"] if task.is_stream else []
    run = train_run(compose(*words), tmp_path / "run")
    assert run.state == "finished"
    for part in ("valid", "test"):
        assert {f"{part}/{name}" for name in task.metrics} <= run.metrics.keys()
    record = run.run.record
    assert record["task"]["name"] == record["data"]["data"] == task.name
    assert len(run.predictions[0]) == len(run.predictions[1]) == task.num_test
