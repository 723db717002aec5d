"""Reads the command of a sweep or a search, and makes jobs of its runs."""

import math
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig, OmegaConf, flag_override

from mnist_seq.config import ConfigError, plain
from mnist_seq.config.hydra_errors import check_hydra_node, hydra_node_of
from mnist_seq.config.members import use_folders_of
from mnist_seq.config.parse import parse, rooted
from mnist_seq.config.words import key_of, words_in
from mnist_seq.runs.commands import quoted, to_continue_sweep
from mnist_seq.runs.console import QuietConsole
from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.sweep.engines import Launcher
from mnist_seq.sweep.engines.foreign import ForeignLauncher
from mnist_seq.sweep.plan.arms import study_of
from mnist_seq.sweep.plan.compose import Composer
from mnist_seq.sweep.plan.estimate import Speeds, estimate
from mnist_seq.sweep.plan.planner import PlannedRun, Planner
from mnist_seq.sweep.pool.jobs import PoolJob
from mnist_seq.sweep.stack.stackable import shape_of
from mnist_seq.sweep.work import Work
from mnist_seq.training.job import Job


class SweepCommand:
    """The command of a sweep or a search.

    Args:
        master: the command's config, with Hydra's own node; swept keys have their default values.
        arguments: the command's overrides.

    Attributes:
        defaults: values of the config without any override.
        options: values of the group `sweep`.
        study: the ablation study, if there is one.
        words: the command's overrides, without those of the study and without `sweep.name`.
        folder: folder of the sweep.
        again: the command, to be typed again.

    Raises:
        ConfigError: the sweep is impossible.
    """

    def __init__(
        self,
        master: DictConfig,
        arguments: Sequence[str],
        *,
        loader: ConfigLoader,
        launcher: Launcher | ForeignLauncher,
    ) -> None:
        check_hydra_node(master, is_sweep=True)
        for word in words_in(master, "hydra"):
            if key_of(word).startswith("hydra.run."):
                raise ConfigError(
                    f"{word} says where one run goes, and this is a sweep; write "
                    "hydra.sweep.dir=<folder>, or leave out -m"
                )
        self.master, self.launcher = master, launcher
        self.console = QuietConsole()
        use_folders_of(master)
        self.composer = Composer(loader, master)
        values = self.composer.defaults()
        self.defaults: dict[str, Any] = plain(parse(values))
        fixed = master.sweep
        with hydra_node_of(master):
            if OmegaConf.is_config(fixed):
                fixed = OmegaConf.to_container(fixed, resolve=True)
        self.options = parse({**values, "sweep": fixed}).sweep
        # one name for all runs, also if it was made from the time
        words = [w for w in arguments if key_of(w) != "sweep.name"]
        for word in set(arguments) - set(words):
            if self.composer.parser.parse_override(word).is_sweep_override():
                raise ConfigError(f"a sweep has one name: {word}; quote a name that holds commas")
        self.study, self.words = study_of(master, words)
        with hydra_node_of(master):
            self.folder = SweepFolder(Path(str(master.hydra.sweep.dir)).absolute())
        self.again = to_continue_sweep(self.options.name, self.folder.path)
        self._name = f"sweep.name={quoted(self.options.name)}"
        self._cwd = str(master.hydra.runtime.cwd)  # where the command was typed

    def planner(self, *, swept: Sequence[str]) -> Planner:
        """Turns overrides into planned runs of this command.

        Args:
            swept: keys that runs are named by.
        """
        return Planner(
            self.folder,
            values=self._values,
            check=lambda values: rooted(parse(values), self._cwd),
            options=self.composer.options,
            swept=swept,
            why_torch=self.launcher.placement.why_torch,
        )

    def _values(self, words: Sequence[str]) -> dict[str, Any]:
        words = [*words, self._name]
        self.composer.check_launch(words)
        return self.composer.values(words)

    def job(
        self, index: int, run: PlannedRun, *, speeds: Speeds, is_stacking: bool = False
    ) -> PoolJob:
        """A planned run as a job of the pool.

        Args:
            index: position of the run in the sweep.
            speeds: of earlier runs, by their kind.
        """
        seconds = estimate(run.config, speeds)
        return PoolJob(
            run.name,
            run.folder,
            lambda: pickle.dumps(self._work(index, run)),
            expected_s=0.0 if math.isnan(seconds) else seconds,
            shape=shape_of(run.config) if is_stacking else "",
            identity=run.identity,
        )

    def neighbours(self) -> list[Path]:
        """Folders with earlier runs, from which the time of a run is estimated."""
        sweeps = self.folder.path.parent
        return [sweeps.parent / "runs", *(path for path in sweeps.glob("*") if path.is_dir())]

    def _work(self, index: int, run: PlannedRun) -> Work:
        words = (*run.overrides, self._name)
        cfg = self.composer.whole(words, name=run.name, index=index)
        with flag_override(cfg, ["struct", "readonly"], [False, False]):
            cfg.hydra.sweep.dir = str(self.folder.path)
        job = Job(run.config, run.located, run.folder, run.name, words)
        is_elsewhere = not self.launcher.placement.is_here
        return Work(job, cfg, self.again, is_elsewhere=is_elsewhere)
