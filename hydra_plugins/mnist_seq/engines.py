"""The launchers that Hydra finds for engines which others have built: joblib, Ray, submitit.

Their work is in `mnist_seq.sweep.engines`. They take the place of Hydra's plugins for the same
engines, under the same option names: those take a whole batch or nothing, and pin old versions.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

EXTRAS = {"joblib": "joblib", "ray": "ray", "submitit": "slurm"}  # package: extra of ours


class EngineLauncher(Launcher):
    """Runs side by side in another engine's processes.

    `hydra/sweeper=mnist_seq` reads these settings and runs its plan over `open_engine`.
    """

    package: str

    def __init__(
        self,
        workers: int | Literal["auto"],
        grace: float,
        slots_per_device: int = 1,
        **settings: Any,
    ) -> None:
        self.workers, self.grace, self.slots_per_device = workers, grace, slots_per_device
        self.settings = {
            key: OmegaConf.to_container(value, resolve=True)
            if OmegaConf.is_config(value)
            else value
            for key, value in settings.items()
        }
        self.threads = 1

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        from mnist_seq.config import ConfigError
        from mnist_seq.sweep.pool.slots import check_launcher

        check_launcher(
            workers=self.workers, slots_per_device=self.slots_per_device, grace=self.grace
        )
        self.threads = int(config.device.threads)
        if importlib.util.find_spec(self.package) is None:
            choice = config.hydra.runtime.choices["hydra/launcher"]
            raise ConfigError(
                f"hydra/launcher={choice} needs the package {self.package}, which is not "
                f"installed: pip install 'mnist_seq[{EXTRAS[self.package]}]'"
            )

    def open_engine(self, slots: list[dict[str, str]], sweep: Path) -> Any:
        """The engine that is to run a plan.

        Args:
            slots: environments of the runs that go at once, were they to run on this machine.
            sweep: the sweep's folder.
        """
        raise NotImplementedError

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        raise ValueError(
            "this launcher runs the plans of hydra/sweeper=mnist_seq or optuna, and no other "
            "sweeper's jobs; choose hydra/launcher=basic for those"
        )


class JoblibLauncher(EngineLauncher):
    """Warm worker processes of joblib on this machine."""

    package = "joblib"

    def open_engine(self, slots: list[dict[str, str]], sweep: Path) -> Any:
        from mnist_seq.sweep.engines.joblib_engine import JoblibEngine

        return JoblibEngine(slots, threads=self.threads)


class RayLauncher(EngineLauncher):
    """Tasks of Ray, here or on a cluster."""

    package = "ray"

    def open_engine(self, slots: list[dict[str, str]], sweep: Path) -> Any:
        from mnist_seq.sweep.engines.ray_engine import RayEngine

        return RayEngine(workers=0 if self.workers == "auto" else self.workers, **self.settings)


class SubmititLauncher(EngineLauncher):
    """Jobs of submitit: Slurm's, or processes on this machine."""

    package = "submitit"

    def open_engine(self, slots: list[dict[str, str]], sweep: Path) -> Any:
        from mnist_seq.sweep.engines.submitit_engine import SubmititEngine

        cluster = self.settings["cluster"]
        if cluster == "slurm":
            slots = [{} for _ in slots]  # Slurm itself says which devices a job sees
        return SubmititEngine(
            cluster, slots, folder=sweep / ".submitit", parameters=self.settings["parameters"]
        )
