"""Japanese Vowels: nine speakers say "ae"; whose voice is it?

Source: Kudo, Toyama & Shimbo 1999, Pattern Recognition Letters 20(11-13); the training and the
test set are those of the UEA archive, which the package aeon carries.
"""

from pathlib import Path

from mnist_seq.tasks.examples import Part
from mnist_seq.tasks.recordings import Recordings
from mnist_seq.tasks.sources.carried import Carried

_FOLDER = "datasets/data/JapaneseVowels/JapaneseVowels"


class JapaneseVowels(Recordings):
    """270 training and 370 test recordings of 7 to 29 time steps: 12 cepstrum coefficients."""

    title = "Japanese Vowels"
    carried = Carried(
        package="aeon",
        files={
            f"{_FOLDER}_TRAIN.ts": (
                "68a430eabd919cc77f40b1f5f3bc0dcafacc1486bca9260785aeb7d262cc78cd"
            ),
            f"{_FOLDER}_TEST.ts": (
                "b3d41d6a0ca3bcad3afb9ca7d4365382aa51341e2e58bae2a574babdda5b9462"
            ),
        },
        version="1.6.0",
    )
    num_given, num_test = 270, 370
    channels, num_classes, longest = 12, 9, 29
    rule = "split of the archive"

    def sets(self, paths: list[Path]) -> tuple[Part, Part]:
        """See `Recordings`."""
        import numpy as np

        from mnist_seq.tasks.recordings.scaling import below
        from mnist_seq.tasks.sources import ts_file

        arrays = ts_file.read(*paths)
        parts = []
        for part in ("train", "test"):
            x, lengths = arrays[f"x_{part}"].astype(np.float32), arrays[f"lengths_{part}"]
            parts.append(Part(below(x, lengths), arrays[f"y_{part}"], lengths))
        return parts[0], parts[1]
