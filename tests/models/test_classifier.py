"""What a classifier reads of its recurrent layers."""

import pytest
import torch
from torch import nn

from mnist_seq.config.reference import default_model
from mnist_seq.models import Shape, build_classifier


def test_flat_reads_all_outputs_as_the_authors_of_mnist1d_do() -> None:
    """Their GRU: hidden 6, both directions, 40 x 12 outputs into one linear layer."""
    model = default_model("gru", hidden=6, bidirectional=True, readout="flat")
    classifier = build_classifier(
        model, shape=Shape(40, 1), num_outputs=10, rnn_seed=0, head_seed=0
    ).double()
    assert sum(p.numel() for p in classifier.parameters()) == 5_134
    gru = nn.GRU(1, 6, batch_first=True, bidirectional=True).double()
    gru.load_state_dict(classifier.rnn.state_dict())
    linear = nn.Linear(480, 10).double()
    linear.load_state_dict(classifier.head.state_dict())
    x = torch.randn(40, 7, 1, dtype=torch.float64)
    outputs, _ = gru(x.transpose(0, 1))
    torch.testing.assert_close(classifier(x), linear(outputs.reshape(7, -1)))


@pytest.mark.parametrize("readout", ["last", "mean", "flat"])
def test_each_readout_learns_from_the_first_time_step(readout: str) -> None:
    """A read-out that dropped a direction or a step would still train."""
    model = default_model("lstm", hidden=3, bidirectional=True, readout=readout)
    classifier = build_classifier(model, shape=Shape(5, 2), num_outputs=4, rnn_seed=0, head_seed=1)
    x = torch.randn(5, 2, 2, requires_grad=True)
    classifier(x).sum().backward()
    assert x.grad is not None
    assert (x.grad != 0).all()
