"""The arguments with which a pool is opened: slots, policy, folder and views."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from mnist_seq.config import Config
from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.sweep.pool.jobs import Policy, View
from mnist_seq.sweep.pool.slots import Slots


@dataclass(frozen=True)
class Opening:
    """The arguments with which a pool is opened.

    Attributes:
        configs: configs of the runs; for a search, of the first one.
        slots: environment of each job that trains at once on this machine.
        threads: CPU threads of a job.
        num_jobs: number of jobs that the pool will get.
        expected_s: expected seconds of all jobs; NaN if unknown.
        is_stacking: whether jobs of equal shape are trained as stacks.
        views: views in addition to the ledger and the terminal.
        metric: metric that the terminal shows for a finished run; "" is test/<main metric>.
    """

    configs: Sequence[Config]
    slots: Slots
    threads: int
    policy: Policy
    folder: SweepFolder
    console: Console
    num_jobs: int
    expected_s: float = math.nan
    is_stacking: bool = False
    views: Sequence[View] = ()
    metric: str = ""

    @property
    def mean_s(self) -> float:
        """Expected seconds of one job; NaN if unknown."""
        return self.expected_s * len(self.slots) / max(1, self.num_jobs)
