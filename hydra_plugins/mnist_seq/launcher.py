"""The launchers that Hydra finds; their work is in `mnist_seq.sweep`, `pool` and `stack_pool`."""

from collections.abc import Sequence
from typing import Literal

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


class PoolLauncher(Launcher):
    """Runs side by side on this machine, each in a fresh process forked from a warm fork server.

    `hydra/sweeper=mnist_seq` reads these settings and runs its plan in the pool itself.

    Attributes:
        stacks_on: devices on which runs of equal shape are trained as one program.
    """

    stacks_on: Literal["nothing", "anything", "cuda"] = "nothing"

    def __init__(self, workers: int | Literal["auto"], slots_per_device: int, grace: float) -> None:
        self.workers, self.slots_per_device, self.grace = workers, slots_per_device, grace

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        from mnist_seq.sweep.pool.slots import check_launcher

        check_launcher(
            workers=self.workers, slots_per_device=self.slots_per_device, grace=self.grace
        )
        if OmegaConf.select(config, "sweep.dry_run", default=True):  # or no sweep, refused later
            return
        from mnist_seq.sweep.pool.fork_server import start_fork_server

        start_fork_server(int(config.device.threads), data=str(config.data.name))

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        raise ValueError(
            "hydra/launcher=pool runs the plans of hydra/sweeper=mnist_seq, and no other sweeper's "
            "jobs; choose hydra/launcher=basic or joblib for those"
        )


class StackLauncher(PoolLauncher):
    """Many runs as one batched program on one device; several such programs side by side."""

    stacks_on = "anything"

    def __init__(
        self,
        workers: int | Literal["auto"],
        slots_per_device: int,
        grace: float,
        max_runs: int | Literal["auto"],
    ) -> None:
        super().__init__(workers, slots_per_device, grace)
        self.max_runs = max_runs

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        from mnist_seq.config import ConfigError
        from mnist_seq.sweep.pool.slots import check_launcher

        check_launcher(max_runs=self.max_runs)
        choices = config.hydra.runtime.choices
        if choices["hydra/sweeper"] != "mnist_seq":
            raise ConfigError(
                f"hydra/launcher={choices['hydra/launcher']} trains the runs of a plan together, "
                f"and hydra/sweeper={choices['hydra/sweeper']} asks for one after the other; "
                "choose hydra/launcher=pool"
            )
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)


class AutoLauncher(StackLauncher):
    """Stacks where a GPU is, else the pool."""

    stacks_on = "cuda"
