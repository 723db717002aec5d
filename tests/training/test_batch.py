"""The batches of a run: what is drawn for them, and what never changes."""

from pathlib import Path

import pytest
import torch

from mnist_seq.tasks.batches.split import split
from mnist_seq.tasks.batches.task_data import TaskData
from mnist_seq.training.loop.batch import training_batch
from mnist_seq.training.seeds import epoch_order
from tests.tasks.made import load, locate, make_data
from tests.training.conftest import make_config
from tests.training.test_run import RunIn

AUGMENTED = ("data.shift=2", "data.noise=0.1", "data.drop_steps=0.2")


def make() -> TaskData:
    parts = split(4000, valid=400, limit=None, generator_seed=0)
    return make_data(load(locate("mnist_5k", Path("data"))), split=parts)


def test_what_is_drawn_hangs_on_the_seed_and_the_step_alone() -> None:
    """Runs of one seed are pairs, whatever their cell; a resumed run needs no state for it."""
    data, positions = make(), torch.arange(30)

    def drawn(*overrides: str, step: int) -> torch.Tensor:
        torch.rand(1)  # torch's own generator does not count
        return training_batch(make_config(*AUGMENTED, *overrides), data, positions, step=step)[0]

    first = drawn(step=7)
    assert torch.equal(first, drawn("model=gru", "optimizer=sgd", step=7))
    assert not torch.equal(first, drawn(step=8))
    assert not torch.equal(first, drawn("seed=1", step=7))
    plain, labels, *_ = training_batch(make_config(), data, positions, step=7)
    assert torch.equal(plain, data.train_batch(positions)[0])
    assert not torch.equal(first, plain)
    augmented = training_batch(make_config(*AUGMENTED), data, positions, step=7)
    assert torch.equal(augmented[1], labels)


def test_the_order_is_drawn_anew_each_epoch_or_fixed() -> None:
    """The authors of MNIST-1D train on the same batches in the same order."""
    orders = [epoch_order(3, epoch, 50, order="shuffled") for epoch in (0, 1)]
    assert not torch.equal(*orders)
    assert all(torch.equal(order.sort().values, torch.arange(50)) for order in orders)
    assert torch.equal(epoch_order(3, 1, 50, order="fixed"), torch.arange(50))


def test_wrong_labels_are_those_of_training_alone(tmp_path: Path, run_in: RunIn) -> None:
    """Half the labels wrong costs 1.8 nats of training loss, and valid and test do not show it."""
    ended, folder = run_in(
        tmp_path, "data.label_noise=0.5", "model.hidden=32", "training.epochs=12",
        "training.batch_size=50", "data.valid=400",
    )  # fmt: skip
    metrics = ended.metrics
    assert metrics["train/loss"] > 1.5
    assert metrics["test/accuracy"] > 0.5
    assert abs(metrics["valid/accuracy"] - metrics["test/accuracy"]) < 0.1
    assert folder.record()["config"]["data"]["label_noise"] == 0.5


@pytest.mark.parametrize("words", ["model.below=[4]", "model.block=residual"])
def test_layers_of_torch_inside_others_are_its_kernel(
    tmp_path: Path, run_in: RunIn, words: str
) -> None:
    """They run `nn.LSTM`, so their seconds are compared as its."""
    folder = run_in(tmp_path, "model.layers=2", words, "training.updates=1")[1]
    assert folder.record()["kernel"] == "nn.LSTM"
