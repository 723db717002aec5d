"""The sweeper that Hydra finds; its work is in `mnist_seq.sweep`."""

from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class PlanSweeper(Sweeper):
    """Plans a sweep, prints the plan, launches what is left to do and tells what came of it."""

    def __init__(self) -> None:
        self.config: DictConfig | None = None
        self.launcher: Launcher | None = None
        self.hydra_context: HydraContext | None = None

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.config, self.hydra_context = config, hydra_context
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        from mnist_seq.sweep.session import run_sweep

        assert self.config is not None
        assert self.launcher is not None
        assert self.hydra_context is not None
        return run_sweep(
            self.config, arguments, loader=self.hydra_context.config_loader, launcher=self.launcher
        )
