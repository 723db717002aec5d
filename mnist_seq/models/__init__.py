"""Recurrent cells and the classifier around them."""

from mnist_seq.models.classifier import Classifier, build_classifier
from mnist_seq.models.recurrence import Shape

__all__ = ["Classifier", "Shape", "build_classifier"]
