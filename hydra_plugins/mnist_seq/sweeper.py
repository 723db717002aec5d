"""The default sweeper plugin for Hydra; the code is in `mnist_seq.sweep`."""

from typing import TYPE_CHECKING, Any

from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

# import the module, not the class: Hydra registers every plugin class in a module of this folder
from hydra_plugins.mnist_seq import launcher as launchers

if TYPE_CHECKING:
    from mnist_seq.sweep.engines import Launcher
    from mnist_seq.sweep.engines.foreign import ForeignLauncher


class PlanSweeper(Sweeper):
    """Plans a sweep, prints the plan, launches the runs and prints the summary.

    Args:
        params: overrides of all runs, swept or not; the command's own count more.
    """

    def __init__(self, params: Any = None, **unknown: Any) -> None:
        self.params, self.unknown = plain(params) or {}, list(unknown)
        self.config: DictConfig | None = None
        self.launcher: Launcher | ForeignLauncher | None = None
        self.hydra_context: HydraContext | None = None

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        from mnist_seq.config import ConfigError
        from mnist_seq.config.errors import refuse
        from mnist_seq.config.hydra_errors import hydra_node_of
        from mnist_seq.config.plugin_keys import keys_of_another, unknown_key
        from mnist_seq.config.words import OUR_JOB, words_in

        if not getattr(task_function, OUR_JOB, False):
            name = getattr(task_function, "__name__", "job")
            refuse(
                f"hydra/sweeper={config.hydra.runtime.choices['hydra/sweeper']} trains the runs of "
                f"python -m mnist_seq.train, and this program has a job of its own, {name}; to "
                "sweep it, write hydra/sweeper=basic hydra/launcher=basic"
            )

        unread = keys_of_another("sweeper", words_in(config, "hydra"))
        for key in self.unknown:
            if key not in unread:
                raise ConfigError(unknown_key(f"hydra.sweeper.{key}", "mnist_seq"))
        self.config, self.hydra_context = config, hydra_context
        with hydra_node_of(config):
            launcher = Plugins.instance().instantiate_launcher(
                hydra_context=hydra_context, task_function=task_function, config=config
            )
        if isinstance(launcher, launchers.PlanLauncher):
            self.launcher = launcher.chosen
        else:
            from mnist_seq.sweep.engines.foreign import ForeignLauncher

            self.launcher = ForeignLauncher(launcher)

    def sweep(self, arguments: list[str]) -> Any:
        from mnist_seq.config.words import words_of
        from mnist_seq.sweep.session import run_sweep

        assert self.config is not None
        assert self.launcher is not None
        assert self.hydra_context is not None
        return run_sweep(
            self.config,
            [*words_of(self.params), *arguments],
            loader=self.hydra_context.config_loader,
            launcher=self.launcher,
        )


def plain(value: Any) -> Any:
    """A value of the config without OmegaConf's types."""
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
