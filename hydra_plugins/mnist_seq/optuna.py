"""The sweeper of `hydra/sweeper=optuna`; its work is in `mnist_seq.sweep.search`."""

import importlib.util
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


class OptunaSweeper(Sweeper):
    """Searches with Optuna, one trial at a time in each slot of the launcher."""

    def __init__(self, **settings: Any) -> None:
        self.settings = {
            key: OmegaConf.to_container(value, resolve=True)
            if OmegaConf.is_config(value)
            else value
            for key, value in settings.items()
        }
        self.config: DictConfig | None = None
        self.launcher: Launcher | None = None
        self.hydra_context: HydraContext | None = None

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        from mnist_seq.config import ConfigError

        if importlib.util.find_spec("optuna") is None:
            raise ConfigError(
                "hydra/sweeper=optuna needs the package optuna, which is not installed: "
                "pip install 'mnist_seq[optuna]'"
            )
        self.config, self.hydra_context = config, hydra_context
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        from mnist_seq.sweep.search.session import run_search

        assert self.config is not None
        assert self.launcher is not None
        assert self.hydra_context is not None
        return run_search(
            self.config,
            arguments,
            self.settings,
            loader=self.hydra_context.config_loader,
            launcher=self.launcher,
        )
