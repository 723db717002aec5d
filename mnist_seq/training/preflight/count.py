"""Counts what classifiers cost, and loads the classifier of a run from its weights."""

import functools
import logging
from pathlib import Path

import torch

from mnist_seq.config import Config
from mnist_seq.config.schema import Model
from mnist_seq.models import Classifier, Shape, build_classifier
from mnist_seq.models.counting import Counts
from mnist_seq.runs.folder import RunFolder
from mnist_seq.tasks import Spec, task_of
from mnist_seq.training import checkpoint, checkpoint_check
from mnist_seq.training.checkpoint import load_weights

log = logging.getLogger("mnist_seq.training")


def num_params(config: Config) -> int:
    """Parameters of a config's classifier."""
    return model_params(config.model, task_of(config.data).spec)


@functools.cache
def model_params(model: Model, spec: Spec) -> int:
    """Parameters of a classifier for a task."""
    with torch.device("meta"):
        classifier = unseeded(model, spec)
    return sum(p.numel() for p in classifier.parameters())


def counts(config: Config) -> Counts:
    """What a config's classifier carries and multiplies at each time step."""
    return model_counts(config.model, task_of(config.data).spec)


def recorded_counts(config: Config) -> dict[str, int]:
    """The same for result.json: empty for a cell whose step cannot run without values."""
    try:
        return counts(config)._asdict()
    except Exception:  # an own cell may raise anything, and a finished run is not lost for a count
        log.warning("state_size and multiply_adds of model=%s are not counted", config.model.name)
        return {}


@functools.cache
def model_counts(model: Model, spec: Spec) -> Counts:
    """The same of a classifier for a task."""
    # Not on `meta`: to run there, and to leave it, torch imports sympy, for a third of a second
    classifier = unseeded(model, spec).eval()
    return classifier.counts(Shape(spec.time_steps, spec.input_size))


def load_classifier(config: Config, path: Path) -> Classifier:
    """The classifier of a run with the weights of a file, on the CPU, ready to evaluate.

    Raises:
        ValueError: the file is missing, damaged, or holds the weights of something else.
    """
    model = unseeded(config.model, task_of(config.data).spec)
    load_weights(path, model)
    return model.eval()


def load_last(config: Config, folder: RunFolder) -> Classifier:
    """The same with the weights of a run's last checkpoint, averaged where the run averages.

    Raises:
        ValueError: there is none, or it is damaged.
    """
    model = unseeded(config.model, task_of(config.data).spec)
    saved = checkpoint.read(folder, model)
    if saved is None:
        raise ValueError(f"{folder.path} holds no {folder.checkpoint_path.name}")
    with checkpoint.errors_named(folder):
        weights = saved["average"] if "average" in saved else saved["model"]
        checkpoint_check.check_weights(weights, model)
        model.load_state_dict(weights)
    return model.eval()


def unseeded(model: Model, spec: Spec) -> Classifier:
    """A classifier for a task, with the weights of seed 0."""
    return build_classifier(
        model,
        shape=Shape(spec.time_steps, spec.input_size),
        num_outputs=spec.num_outputs,
        per_step=spec.per_step,
        rnn_seed=0,
        head_seed=0,
        embedding=spec.embedding,
    )
