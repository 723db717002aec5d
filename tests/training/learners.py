"""Small runs in float64 without a folder: a few random images, read in four time steps."""

import copy
import functools
from typing import Any

import torch
import yaml

from mnist_seq.config import Config, plain
from mnist_seq.config.parse import parse_plain
from mnist_seq.config.schema import CHOSEN
from mnist_seq.models import Shape, build_classifier
from mnist_seq.tasks import task_of
from mnist_seq.tasks.batches.split import split
from mnist_seq.tasks.batches.task_data import TaskData
from mnist_seq.training.loop.learner import Learner
from mnist_seq.training.loop.program import Program
from mnist_seq.training.schedules import epoch_rates
from mnist_seq.training.seeds import derive, epoch_order
from tests.tasks.made import Images, examples
from tests.training.conftest import make_config

NUM_TRAIN, BATCH = 22, 8  # the last batch of an epoch is a ragged one
TINY = (
    "data.sequence=pixels",
    "data.chunk=196",
    "model.hidden=5",
    f"training.batch_size={BATCH}",
    "training.epochs=20",
)


@functools.cache
def images() -> Images:
    """Noise, and labels that go with its brightness."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (NUM_TRAIN + 6, 28, 28), generator=generator)
    labels = torch.randint(10, (NUM_TRAIN + 6,), generator=generator)
    shaded = (pixels * (labels.view(-1, 1, 1) + 1) // 10).to(torch.uint8)
    return Images(shaded, labels, shaded, labels)


@functools.cache  # composing takes half a second
def _choice(word: str) -> dict[str, Any]:
    """Plain values of a config with one group choice, or none."""
    return plain(make_config(*([word] if word else [])))


def _config(words: tuple[str, ...]) -> Config:
    """As `make_config`, which composes anew for every run."""
    values = copy.deepcopy(_choice(""))
    for word in (*TINY, *words):
        key, _, value = word.partition("=")
        if key in CHOSEN:
            values[key] = copy.deepcopy(_choice(word))[key]
        else:
            group, _, name = key.rpartition(".")
            (values[group] if group else values)[name] = yaml.safe_load(value)
    return parse_plain(values)


def make_learner(*words: str, device: str = "cpu", draws_on: str = "") -> Learner:
    """A fresh run; equal words give equal runs.

    Args:
        draws_on: the device of its generator, where it is another.
    """
    config = _config(words)
    data = TaskData(
        task_of(config.data),
        examples(images()),
        split=split(
            NUM_TRAIN + 6, valid=6, limit=None, generator_seed=derive(config.seed, "split")
        ),
        device=torch.device(device),
    )
    model = build_classifier(
        config.model,
        shape=Shape(data.time_steps, data.input_size),
        num_outputs=10,
        rnn_seed=derive(config.seed, "init/rnn"),
        head_seed=derive(config.seed, "init/head"),
    ).to(device)
    return Learner(
        config, data, model, torch.Generator(draws_on or device).manual_seed(config.seed)
    )


def advance(program: Program, configs: list[Config], steps: range) -> None:
    """Step a program, as the training loop does."""
    per_epoch = -(-NUM_TRAIN // BATCH)
    begun: Any = None
    for step in steps:
        epoch, position = divmod(step, per_epoch)
        if epoch != begun:
            begun = epoch
            orders = [epoch_order(c.seed, epoch, NUM_TRAIN, order="shuffled") for c in configs]
            rates = epoch_rates(configs, epoch, num_steps=20 * per_epoch, steps_per_epoch=per_epoch)
            program.begin_epoch(epoch * per_epoch, torch.stack(orders), rates)
        program.step(position)
