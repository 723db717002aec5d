"""Checks that need facts of the task: they refuse before the data are looked for."""

import pytest

from mnist_seq.config import ConfigError
from mnist_seq.training.preflight.task import check_task, num_steps
from tests.conftest import config_of


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["data.valid=60000"], "data.valid must leave training images: data.valid=60000 of 60,000"),
        (["data.limit=59000"], "data.limit must not exceed the training images that data.valid=50"),
        (["data.chunk=4"], "data.sequence=rows; choose data.sequence=pixels or permuted"),
        (["data.chunk=5", "data.sequence=pixels"], "must divide the 784 values of an example"),
        (["data.permutation=7"], "data.sequence=rows; choose data.sequence=permuted"),
        (["data.shift=28"], "data.shift must be less than the 28 time steps"),
        (["data=mnist1d", "data.sequence=rows"], "data=mnist1d has signals, no rows"),
        (["data=mnist1d", "data.normalize=unit"], "choose data.normalize=standard"),
        (["data=mnist1d", "data.chunk=3"], "must divide the 40 values"),
        (["schedule.warmup=860"], "schedule.warmup must end before the run does"),
        (["data=mnist_5k", "training.monitor_test=1001"],
         "training.monitor_test must not exceed the test images: training.monitor_test=1001 of"),
        (["data=mnist_5k", "training.eval_train=3601"],
         "training.eval_train must not exceed the training images: training.eval_train=3601 of"),
        (["data=parity", "training.eval_train=9"], "data=parity makes new examples at each step"),
        (["data=adding", "training.train_accuracy=true"],
         "needs a task with an accuracy: data=adding has mse"),
        (["training.best=valid/los"], "data=mnist has valid/accuracy, valid/loss, or auto"),
        (["training.best=test/loss"], "training.best must be a value on valid"),
        (["training.epochs=100000000"], "training.epochs must come to an end"),
        (["training.updates=1000000", "training.eval_every=1"],
         "in 1,000,000 steps; choose training.eval_every=3 or more"),
        (["training.updates=1000000", "training.eval_every=3", "training.diagnostics=gradients"],
         "metrics.jsonl can hold: training.eval_every=3 gives 333,333 in"),
        (["data=adding", "training.batch_size=1", "model.readout_norm=batch"],
         "leaves one of 100,000 in the last batch; choose training.batch_size=2, or model.r"),
        (["data=mnist_5k", "data.limit=9", "training.batch_size=2", "model.readout_norm=batch"],
         "training.batch_size=2 leaves one of 9 in the last batch; choose training.batch_size=3,"),
        (["data=copying", "model.readout_norm=batch"],
         "answers at every time step, and model.readout_norm=batch does not go with it yet"),
        (["data=mnist_5k", "training.epochs=1000000"], "training.eval_every=epoch gives 1,000,000"),
    ],
)  # fmt: skip
def test_what_does_not_go_with_the_task_is_refused(overrides: list[str], says: str) -> None:
    """Each is a sensible value by itself."""
    with pytest.raises(ConfigError) as caught:
        check_task(config_of(*overrides))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_steps_are_counted_by_what_is_left_to_train_on() -> None:
    """55,000 images in batches of 64, the last one smaller."""
    assert num_steps(config_of()) == 860
    assert num_steps(config_of("data=mnist_5k", "training.epochs=3")) == 57 * 3
