"""The work of a job: trains a planned run in a worker."""

import functools
import os
from dataclasses import dataclass
from typing import Any, TextIO, cast

from omegaconf import DictConfig

from mnist_seq.training.job import Job


@dataclass(frozen=True)
class Work:
    """A run that the plan has checked, sized and located. None of this is done again.

    Attributes:
        cfg: the composed config with Hydra's own node, for its callbacks, logging and `.hydra/`.
        again: the command that goes on with the sweep; a worker's own arguments are its engine's.
        is_elsewhere: whether the run trains on another machine, whose device and memory must be
            checked there.
    """

    job: Job
    cfg: DictConfig
    again: str
    is_elsewhere: bool = False

    def __call__(self) -> None:
        """Train in a process that does nothing else during that time.

        Raises:
            SystemExit: a signal came, and the run can be resumed.
            BaseException: any error of the run.
        """
        from mnist_seq.runs.console import QuietConsole

        self._train(QuietConsole(), configures_logging=True)

    def in_thread(self, log: TextIO) -> None:
        """Train in a thread of a process that does other things too.

        Args:
            log: file for the progress lines of the run.

        Raises:
            BaseException: as above.
        """
        from mnist_seq.runs.console import QuietConsole

        self._train(QuietConsole(file=log), configures_logging=False)

    def _train(self, console: Any, *, configures_logging: bool) -> None:
        from hydra._internal.callbacks import Callbacks
        from hydra.core.utils import JobStatus, setup_globals
        from hydra.core.utils import run_job as hydra_run_job
        from hydra.types import HydraContext

        from mnist_seq.tracking import leave_to_the_sweep

        setup_globals()
        leave_to_the_sweep()
        context = HydraContext(config_loader=cast(Any, None), callbacks=Callbacks(self.cfg))

        done = hydra_run_job(
            task_function=functools.partial(self.train, console=console),
            config=self.cfg,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
            hydra_context=context,
            configure_logging=configures_logging,
        )
        if done.status != JobStatus.COMPLETED:
            raise cast(BaseException, done._return_value)

    def train(self, cfg: Any, *, console: Any) -> float:
        """The task function that Hydra and its callbacks see; returns the value for a search."""
        from hydra.core.hydra_config import HydraConfig

        from mnist_seq.runs.errors import Interrupted
        from mnist_seq.runs.events import WATCHERS
        from mnist_seq.tracking import open_tracker
        from mnist_seq.training.launch import launch, main_value
        from mnist_seq.training.progress import open_progress

        job = self.job
        self.check_machine()
        listeners = [open_tracker(job.config, job.folder), open_progress(console), *WATCHERS]
        try:
            ended = launch(job, HydraConfig.get(), listeners, console=console)
        except Interrupted as stop:
            console.print(f"{stop}; to go on: {self.again}", markup=False, soft_wrap=True)
            raise SystemExit(stop.exit_code) from None
        return main_value(job, ended)

    def check_machine(self) -> None:
        """Refuse the machine of a job that trains elsewhere than its command, if it is unfit.

        Raises:
            ConfigError: names the key to be changed.
        """
        from mnist_seq.runs.provenance import AT_ONCE
        from mnist_seq.training.preflight.prepare import check_machine

        if self.is_elsewhere:
            os.environ[AT_ONCE] = "unknown"  # the jobs are spread over machines
            check_machine(self.job.config)
