"""The trained network: recurrent cells, run over a sequence, and a classifier on top.

Read in this order: `classifier` (the whole network), `recurrence` (layers and directions), `cells`
(the contract and one file a cell), `kernels` (faster training passes), `initial` (initial weights).
"""

from mnist_seq.models.cells import Shape
from mnist_seq.models.classifier import Classifier, build_classifier

__all__ = ["Classifier", "Shape", "build_classifier"]
