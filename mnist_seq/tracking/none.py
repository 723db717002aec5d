"""`tracker=none`: the run folder is all there is."""

from mnist_seq.runs.events import Listener
from mnist_seq.runs.folder import RunFolder
from mnist_seq.tracking import Tracker


class Nothing(Tracker):
    """Tracks nothing."""

    def open_run(self, folder: RunFolder) -> Listener:
        return Listener()
