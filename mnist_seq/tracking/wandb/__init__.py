"""`tracker=wandb`: mirrors runs to Weights & Biases from a process of its own.

    settings, variables        the keys of the group, and the WANDB_ variables in their place
    mode, package              online or offline; how wandb is imported
    run/                       one run: what is shown of its folder, and the run in W&B
    mirror/                    the process that uploads runs while they train, and its client
    sync/                      what `python -m mnist_seq.sync` sends afterwards
    pull                       runs of other machines, taken from W&B as run folders

Nothing here imports wandb before a run is mirrored: its import takes 0.6 s.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from mnist_seq.runs.events import Listener
from mnist_seq.runs.folder import RunFolder
from mnist_seq.tracking import OpenRun, Sweep, Tracker


class WandB(Tracker):
    """One mirror process for a run of its own, or for all runs of a sweep."""

    is_for_sweeps = True

    def check(self) -> None:
        """Refuse what a WANDB_ variable says and no server takes."""
        from mnist_seq.tracking.wandb import mode, variables
        from mnist_seq.tracking.wandb.settings import Settings

        if not mode.is_disabled(Settings.read(self.options)):
            variables.check(self.options)

    def open_run(self, folder: RunFolder) -> Listener:
        from mnist_seq.tracking.wandb.mirror.listeners import open_run

        return open_run(folder, self.options)

    def kept_line(self, kept: Sequence[RunFolder], sweep: Path) -> str:
        from mnist_seq.tracking.wandb.mirror.listeners import kept_line

        return kept_line(self.options, kept, sweep)

    def open_sweep(self, sweep: Sweep) -> AbstractContextManager[OpenRun]:
        from mnist_seq.tracking.wandb.mirror.listeners import open_sweep

        return open_sweep(sweep)
