"""What a pool is opened with: places for its jobs, the rules, and who watches."""

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
    """What a pool is opened with.

    Attributes:
        configs: of the runs; of a search, the first one.
        slots: environment of each job that goes at once, were it to run on this machine.
        threads: of a job on the CPU.
        num_jobs: as many jobs the pool will be given.
        expected_s: seconds that they are expected to take, NaN where nothing is known.
        is_stacking: whether jobs of equal shape are trained together.
        views: told beside the ledger and the terminal.
        metric: that the terminal shows of a finished run; "" is the main one of its task, on test.
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
