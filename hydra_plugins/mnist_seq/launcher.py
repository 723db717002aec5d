"""The launcher that Hydra finds; its work is in `mnist_seq.sweep.pool`."""

from collections.abc import Sequence
from typing import Literal

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class PoolLauncher(Launcher):
    """Runs side by side on this machine, each in a fresh process forked from a warm fork server.

    `hydra/sweeper=mnist_seq` reads these settings and runs its plan in the pool itself.
    """

    def __init__(self, workers: int | Literal["auto"], slots_per_device: int, grace: float) -> None:
        self.workers, self.slots_per_device, self.grace = workers, slots_per_device, grace

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        if config.sweep.dry_run:
            return
        from mnist_seq.sweep.fork_server import start_fork_server

        start_fork_server(int(config.device.threads), data=str(config.data.name))

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        raise ValueError(
            "hydra/launcher=pool runs the plans of hydra/sweeper=mnist_seq, and no other sweeper's "
            "jobs; choose hydra/launcher=basic or joblib for those"
        )
