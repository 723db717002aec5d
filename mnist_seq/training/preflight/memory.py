"""Checks that a run fits into memory, before any part of the run is built."""

import functools

import torch

from mnist_seq.config import Config, ConfigError
from mnist_seq.config.schema import Model
from mnist_seq.models.cells import Cell, Layers
from mnist_seq.models.classifier import ENDS
from mnist_seq.tasks import Spec, task_of
from mnist_seq.training.memory import available
from mnist_seq.training.preflight.count import unseeded
from mnist_seq.training.preflight.optimizer import traits

FLOAT = 4  # bytes


def check_memory(config: Config) -> None:
    """Refuse a run that cannot fit into this machine's memory.

    The estimate is a lower bound: weights, gradients, the optimizer's averages, and what each time
    step of a batch stores for the backward pass. The memory of a GPU is not checked here.

    Raises:
        ConfigError: names the key to be made smaller.
    """
    free = available()
    model, training = config.model, config.training
    task = task_of(config.data)
    time_steps = task.spec.time_steps
    num_params, num_kept, num_read = _sizes(model, task.spec)
    num_copies = 2 + traits(config.optimizer).num_averages
    weights = num_params * num_copies * FLOAT
    if weights > free:
        size = f"model.hidden={model.hidden} model.layers={model.layers}"
        size += f" model.below={list(model.below)}" if model.below else ""
        size += f" model.params={model.params}" if model.params != "any" else ""
        size += f" model.match={model.match}" if model.match != "none" else ""
        raise ConfigError(
            f"a run must fit into memory: {size} is {num_params:,} parameters, {num_copies} times "
            f"{_gib(num_params * FLOAT)} with gradients and averages, of {_gib(free)} that are "
            "free; choose a smaller model"
        )
    if config.device.name not in ("auto", "cpu"):
        return
    if task.is_stream:
        check_sets(config, free)
    back, tbptt = time_steps, training.tbptt
    if tbptt != "none" and model.readout in ENDS:
        back = min(time_steps, tbptt)
    of_ends = time_steps * _ends(task.spec)
    passes = {
        "training.batch_size": (task.num_train, back * num_kept + of_ends),
        # An evaluation runs layer by layer, and keeps what one layer reads
        "training.eval_batch_size": (task.num_test, num_read // model.layers + of_ends),
    }
    for key, (num_examples, num_floats) in passes.items():
        batch_size = getattr(training, key.partition(".")[2])
        need = min(batch_size, num_examples) * num_floats * FLOAT
        if need > free:
            raise ConfigError(
                f"a batch must fit into memory: {key}={batch_size} keeps {_gib(need)} or more of "
                f"{time_steps} time steps, of {_gib(free)} that are free; choose {key}=64"
            )


def _ends(spec: Spec) -> int:
    """Floats that a time step of one example takes as one-hot token, and as answer of the net."""
    one_hot = 3 * spec.input_size if spec.input == "token" and not spec.embedding else 0
    return one_hot + 2 * spec.num_outputs * spec.per_step  # one-hot is made of int64


def check_sets(config: Config, free: int) -> None:
    """Refuse sets of generated sequences that do not fit into memory.

    Raises:
        ConfigError: names the key to be made smaller.
    """
    task = task_of(config.data)
    spec = task.spec
    num_numbers = 8 if spec.input == "token" else FLOAT * spec.input_size
    for key, num in (("valid", config.data.valid), ("test", task.num_test)):
        need = num * spec.time_steps * num_numbers
        if need > free:
            raise ConfigError(
                f"generated sequences must fit into memory: data.{key}={num} of {spec.time_steps} "
                f"time steps keeps {_gib(need)}, of {_gib(free)} that are free; choose data.{key}="
                "1000"
            )


@functools.cache
def _sizes(model: Model, spec: Spec) -> tuple[int, int, int]:
    """Parameters; floats that a time step of one example stores; `_num_read` of one example."""
    with torch.device("meta"):
        classifier = unseeded(model, spec)
    num_params = sum(weight.numel() for weight in classifier.parameters())
    num_kept = classifier.rnn.num_kept(spec.time_steps) + model.projection
    return num_params, num_kept, _num_read(classifier.rnn, spec.time_steps)


def _num_read(layers: Layers, time_steps: int) -> int:
    """Floats that an evaluation of one example stores, if it ran all layers at once.

    A cell that runs a few time steps at a time has all but the outputs of those few only.
    """
    found = time_steps * layers.num_kept(time_steps)
    for cell in layers.modules():
        if not isinstance(cell, Cell):
            continue
        num_kept, at_once = cell.num_kept(time_steps), cell.steps_at_once or time_steps
        found -= time_steps * (num_kept - num_kept // cell.num_parts)
        if at_once < time_steps:
            found -= (time_steps - at_once) * (num_kept // cell.num_parts)
            found += time_steps * cell.hidden
    return found


def _gib(num_bytes: int) -> str:
    return f"{num_bytes / 2**30:,.1f} GiB"
