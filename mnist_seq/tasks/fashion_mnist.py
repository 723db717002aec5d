"""Fashion-MNIST: pictures of clothes.

Source: Xiao et al. 2017, arXiv:1708.07747.
"""

from mnist_seq.tasks.images.published_task import PublishedTask
from mnist_seq.tasks.sources.published import FASHION_MNIST


class FashionMnist(PublishedTask):
    """60,000 training and 10,000 test pictures of ten kinds of clothes."""

    title = "Fashion-MNIST"
    files = FASHION_MNIST
    mean, std = 0.2860, 0.3530  # recomputed in tests/tasks/test_published_data.py
