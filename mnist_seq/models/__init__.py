"""Recurrent cells and the classifier around them."""

from mnist_seq.models.classifier import Classifier, build_classifier

__all__ = ["Classifier", "build_classifier"]
