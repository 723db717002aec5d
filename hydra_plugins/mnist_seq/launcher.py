"""The launcher plugin for Hydra: one class for all files of `mnist_seq.sweep.engines`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

if TYPE_CHECKING:
    from mnist_seq.sweep import engines


class PlanLauncher(Launcher):
    """Keeps the keys of a launcher's YAML; `hydra/sweeper=mnist_seq` and `optuna` use them.

    Attributes:
        chosen: the launcher that the keys describe, once it is set up.
    """

    def __init__(self, engine: str = "", **keys: Any) -> None:
        self.engine, self.keys = engine, keys
        self.name = ""
        self.chosen: engines.Launcher | None = None

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        from mnist_seq.config import ConfigError
        from mnist_seq.sweep.engines import launcher_of

        choices = config.hydra.runtime.choices
        self.name = choices["hydra/launcher"]
        keys = OmegaConf.to_container(OmegaConf.create(self.keys), resolve=True)
        assert isinstance(keys, dict)
        self.chosen = launcher_of(self.name, self.engine, {str(k): v for k, v in keys.items()})
        is_stacking = self.chosen.placement.stacks_on != "nothing"
        if is_stacking and choices["hydra/sweeper"] != "mnist_seq":
            is_asked = not self.chosen.placement.is_here  # by a key, not by the launcher's name
            way_out = (
                "leave hydra.launcher.stacks_on out" if is_asked else "choose hydra/launcher=pool"
            )
            raise ConfigError(
                f"hydra/launcher={self.name} trains the runs of a plan together, and "
                f"hydra/sweeper={choices['hydra/sweeper']} asks for one after the other; {way_out}"
            )
        if self.chosen.placement.is_detached and choices["hydra/sweeper"] != "mnist_seq":
            raise ConfigError(
                f"hydra.launcher.detach=true ends the command before the runs, and hydra/sweeper="
                f"{choices['hydra/sweeper']} chooses each by those before it; leave one of them out"
            )
        if not OmegaConf.select(
            config, "sweep.dry_run", default=True
        ):  # or it is no sweep, and refused later
            self.chosen.warm_up(threads=int(config.device.threads), data=str(config.data.name))

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        from mnist_seq.config.errors import refuse

        refuse(
            f"hydra/launcher={self.name} runs the plans of hydra/sweeper=mnist_seq or optuna, and "
            "no other sweeper's jobs; choose hydra/launcher=basic for those"
        )
