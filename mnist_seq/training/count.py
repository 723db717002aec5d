"""Classifiers outside training: their sizes without weights, and with the weights of a run."""

import functools
from pathlib import Path

import torch

from mnist_seq.config import Config
from mnist_seq.config.schema import Model
from mnist_seq.data.images import NUM_CLASSES
from mnist_seq.data.sequence import sequence_shape
from mnist_seq.models import Classifier, Shape, build_classifier


def num_params(config: Config) -> int:
    """Parameters of a config's classifier."""
    return model_params(config.model, Shape(*sequence_shape(config.data.sequence)))


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
        shape=Shape(*sequence_shape(config.data.sequence)),
        num_classes=NUM_CLASSES,
        rnn_seed=0,
        head_seed=0,
    )
    try:
        model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch raises many kinds
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path} must hold the weights of this run: {reason}") from error
    return model.eval()
