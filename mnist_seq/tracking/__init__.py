"""The W&B mirror of a run: it reads what the run says, and never hurts the run."""

from mnist_seq.tracking.mirror import open_tracker
from mnist_seq.tracking.mode import Choice, choose_mode, remember_mode

__all__ = ["Choice", "choose_mode", "open_tracker", "remember_mode"]
