"""Sizes of models without their weights."""

import functools

import torch

from mnist_seq.config import Config
from mnist_seq.config.schema import Model
from mnist_seq.data.images import NUM_CLASSES
from mnist_seq.data.sequence import sequence_shape
from mnist_seq.models import build_classifier


def num_params(config: Config) -> int:
    """Parameters of a config's classifier."""
    _, input_size = sequence_shape(config.data.sequence)
    return _num_params(config.model, input_size)


@functools.cache
def _num_params(model: Model, input_size: int) -> int:
    with torch.device("meta"):
        classifier = build_classifier(
            model, input_size=input_size, num_classes=NUM_CLASSES, rnn_seed=0, head_seed=0
        )
    return sum(p.numel() for p in classifier.parameters())
