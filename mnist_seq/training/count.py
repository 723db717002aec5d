"""Sizes of models without their weights."""

import functools

import torch

from mnist_seq.config import Config
from mnist_seq.config.schema import Model
from mnist_seq.data.images import NUM_CLASSES
from mnist_seq.data.sequence import sequence_shape
from mnist_seq.models import Shape, build_classifier


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
