"""Kuzushiji-MNIST: characters of old Japanese books.

Source: Clanuwat et al. 2018, arXiv:1812.01718.
"""

from mnist_seq.tasks.images.published_task import PublishedTask
from mnist_seq.tasks.sources.published import KMNIST


class Kmnist(PublishedTask):
    """60,000 training and 10,000 test characters of ten kinds."""

    title = "Kuzushiji-MNIST"
    files = KMNIST
    mean, std = 0.1918, 0.3483  # those in common use
