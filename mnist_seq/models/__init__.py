"""The trained network: recurrent cells, run over a sequence, and a classifier on top.

Read in this order: `classifier` (the whole network), `recurrence` (layers and directions), `cells`
(the contract and one file a cell), `parameter_groups` (learning rates and decay of their own),
`kernels` (faster training passes), `initial` (initial weights).
"""

from mnist_seq.models.cells import Shape
from mnist_seq.models.classifier import Classifier, build_classifier
from mnist_seq.models.parameter_groups import ParameterGroup

__all__ = ["Classifier", "ParameterGroup", "Shape", "build_classifier"]
