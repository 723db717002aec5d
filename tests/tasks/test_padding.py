"""Noise behind pictures."""

from pathlib import Path

import pytest
import torch

from mnist_seq.config import ConfigError
from mnist_seq.config.reference import default_data
from mnist_seq.runs.folder import RunFolder
from mnist_seq.tasks import task_of
from mnist_seq.tasks.batches.split import split
from mnist_seq.tasks.batches.stacked_data import StackedData
from mnist_seq.tasks.batches.task_data import TaskData
from mnist_seq.training.run import Job, train_run, train_stack
from tests.tasks.made import Images, examples, locate
from tests.training.conftest import make_config

NUM = 40


def data_of(pad_noise: int, *, seed: int = 0) -> TaskData:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (NUM, 28, 28), generator=generator).to(torch.uint8)
    labels = torch.arange(NUM) % 10
    return TaskData(
        task_of(default_data("mnist_5k", pad_noise=pad_noise)),
        examples(Images(pixels, labels, pixels, labels)),
        split=split(NUM, valid=10, limit=None, generator_seed=seed),
        device=torch.device("cpu"),
    )


def test_an_examples_noise_is_its_own_and_always_the_same() -> None:
    """One noise for all, as some code has it, is an easier task: it can be learnt by heart."""
    data, plain = data_of(500), data_of(0)
    positions = torch.tensor([3, 0, 29])
    batch, alone = data.train_batch(positions), data.train_batch(positions[1:2])
    assert batch.x.shape == (500, 3, 28)
    assert torch.equal(batch.x[:28], plain.train_batch(positions).x)
    assert torch.equal(batch.x[:, 1:2], alone.x)
    noise = batch.x[28:]
    assert not torch.equal(noise[:, 0], noise[:, 1])
    assert float(noise.mean()) == pytest.approx(0, abs=0.02)
    assert float(noise.std()) == pytest.approx(1, abs=0.02)


def test_each_part_has_noise_that_no_batch_size_changes() -> None:
    """And the test set has another one than the training images at its positions."""
    data = data_of(40)
    for part in ("valid", "test"):
        sizes = [torch.cat([b.x for b in data.batches(part, size)], dim=1) for size in (3, 40)]
        assert torch.equal(*sizes)
    rows = torch.arange(5)
    assert not torch.equal(data.read("test", rows)[28:], data.read("train", rows)[28:])


def test_a_stack_pads_as_its_runs_do() -> None:
    """The noise goes with the image, whichever split it is in."""
    each = [data_of(40, seed=seed) for seed in (0, 1)]
    stacked = StackedData(each)
    for part in ("valid", "test"):
        together = next(stacked.batches(part, 7))
        for r, data in enumerate(each):
            assert torch.equal(together.x[r], next(data.batches(part, 7)).x)


def test_padded_runs_train_alone_and_in_a_stack(tmp_path: Path) -> None:
    words = ("data.pad_noise=40", "data.limit=60", "data.valid=10", "model.hidden=4",
             "training.batch_size=30", "training.eval_batch_size=500")  # fmt: skip
    jobs = []
    for name in ("alone", "a", "b"):
        folder = RunFolder(tmp_path / name)
        folder.path.mkdir()
        config = make_config(*words, f"seed={int(name == 'b')}")
        jobs.append(Job(config, locate("mnist_5k", Path("data")), folder, name))
    alone = train_run(jobs[0], [])
    together = train_stack(jobs[1:], [[], []], share=0.0)
    assert together[0].metrics == pytest.approx(alone.metrics, abs=1e-4)
    assert jobs[0].folder.record()["task"]["time_steps"] == 40


def test_too_few_time_steps_are_refused() -> None:
    with pytest.raises(ConfigError, match="must exceed the 28 time steps of an example"):
        task_of(default_data("mnist", pad_noise=28)).check()
