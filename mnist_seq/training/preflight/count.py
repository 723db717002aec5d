"""Classifiers outside training: their sizes without weights, and with the weights of a run."""

import functools
from pathlib import Path

import torch

from mnist_seq.config import Config
from mnist_seq.config.schema import Model
from mnist_seq.models import Classifier, Shape, build_classifier
from mnist_seq.tasks.images import NUM_CLASSES
from mnist_seq.training.checkpoint import load_weights


def num_params(config: Config) -> int:
    """Parameters of a config's classifier."""
    return model_params(config.model, Shape(*config.data.shape()))


@functools.cache
def model_params(model: Model, shape: Shape) -> int:
    """Parameters of a classifier for sequences of some shape."""
    with torch.device("meta"):
        classifier = build_classifier(
            model, shape=shape, num_classes=NUM_CLASSES, rnn_seed=0, head_seed=0
        )
    return sum(p.numel() for p in classifier.parameters())


def load_classifier(config: Config, path: Path) -> Classifier:
    """The classifier of a run with the weights of a file, on the CPU, ready to evaluate.

    Raises:
        ValueError: the file is missing, damaged, or holds the weights of something else.
    """
    model = build_classifier(
        config.model,
        shape=Shape(*config.data.shape()),
        num_classes=NUM_CLASSES,
        rnn_seed=0,
        head_seed=0,
    )
    load_weights(path, model)
    return model.eval()
