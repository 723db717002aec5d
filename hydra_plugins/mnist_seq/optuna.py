"""The sweeper plugin `hydra/sweeper=optuna` for Hydra; the code is in `mnist_seq.sweep.search`."""

import importlib.util
from typing import Any

from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

# import the module, not the class: Hydra registers every plugin class in a module of this folder
from hydra_plugins.mnist_seq import sweeper


class OptunaSweeper(sweeper.PlanSweeper):
    """Searches with Optuna, one trial at a time in each slot of the launcher."""

    def __init__(self, params: Any = None, **settings: Any) -> None:
        super().__init__(params)
        self.settings = {key: sweeper.plain(value) for key, value in settings.items()}

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        from mnist_seq.config import ConfigError

        if importlib.util.find_spec("optuna") is None:
            raise ConfigError(
                "hydra/sweeper=optuna needs the package optuna, which is not installed: "
                "pip install 'mnist_seq[optuna]'"
            )
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def sweep(self, arguments: list[str]) -> Any:
        from mnist_seq.sweep.search.session import run_search

        assert self.config is not None
        assert self.launcher is not None
        assert self.hydra_context is not None
        return run_search(
            self.config,
            arguments,
            self.settings,
            params=self.params,
            loader=self.hydra_context.config_loader,
            launcher=self.launcher,
        )
