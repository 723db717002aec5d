"""One search from its overrides to its best trial."""

import functools
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig, OmegaConf

from mnist_seq.config import Config, ConfigError, plain
from mnist_seq.config.words import key_of, words_of
from mnist_seq.runs import code_identity, files
from mnist_seq.runs.console import near, say
from mnist_seq.runs.text import plural
from mnist_seq.sweep.command import SweepCommand
from mnist_seq.sweep.engines import Launcher
from mnist_seq.sweep.engines.foreign import ForeignLauncher
from mnist_seq.sweep.open_pool import open_pool, policy_of
from mnist_seq.sweep.plan.estimate import Speeds, estimate, measured_speeds, total
from mnist_seq.sweep.plan.planner import PlannedRun
from mnist_seq.sweep.pool import starts
from mnist_seq.sweep.pool.opening import Opening
from mnist_seq.sweep.pool.slots import threads_of
from mnist_seq.sweep.search.answer import show_answer
from mnist_seq.sweep.search.conditions import with_conditions
from mnist_seq.sweep.search.settings import check_objective, checked, without_default_space
from mnist_seq.sweep.search.space import read_space
from mnist_seq.sweep.search.study import is_done, left_running, open_study, queue_failed, queue_grid
from mnist_seq.sweep.search.trials import Trials
from mnist_seq.tracking.sweep_view import tell_of_kept
from mnist_seq.training.preflight.task import check_task


def run_search(
    master: DictConfig,
    arguments: Sequence[str],
    settings: Mapping[str, Any],
    *,
    params: Mapping[str, Any],
    loader: ConfigLoader,
    launcher: Launcher | ForeignLauncher,
) -> None:
    """Search, one trial after the other in each slot, and tell the best.

    Args:
        master: the command's config, with Hydra's own node.
        arguments: the command's overrides.
        settings: `hydra.sweeper.*`, without its `params`.
        params: `hydra.sweeper.params`.

    Raises:
        ConfigError: the search cannot be as asked; nothing has run.
        SystemExit: a run failed, or the search was stopped by a signal.
    """
    try:
        words = [*words_of(params), *arguments]
        if params:
            settings = without_default_space(settings)
        search = _Search(master, words, settings, loader=loader, launcher=launcher)
        search.say_what_is_asked()
        if search.command.options.dry_run:
            say(search.command.console, "sweep.dry_run=true: nothing was run")
            return
        with search.command.folder.locked():
            code = search.run()
    finally:
        starts.end()
    if code:
        raise SystemExit(code)


class _Search:
    def __init__(
        self,
        master: DictConfig,
        arguments: Sequence[str],
        settings: Mapping[str, Any],
        *,
        loader: ConfigLoader,
        launcher: Launcher | ForeignLauncher,
    ) -> None:
        self.settings = checked(settings)
        self.command = command = SweepCommand(master, arguments, loader=loader, launcher=launcher)
        self.speeds: Speeds = {}
        if isinstance(launcher, ForeignLauncher):
            raise ConfigError(
                "a search runs in hydra/launcher=pool, or another launcher of mnist_seq that does "
                f"not stack: hydra/launcher={master.hydra.runtime.choices['hydra/launcher']}"
            )
        self.launcher: Launcher = launcher
        if command.study is not None:
            raise ConfigError("a search has no arms; leave ablation=... out, and search one arm")
        if command.options.until != "planned":
            raise ConfigError(
                f"sweep.until={command.options.until} gives seeds to the variants of a grid, and a "
                "search has trials; compare its winner with the baseline in a sweep of their own"
            )
        if command.options.zip or command.options.exclude:
            raise ConfigError("sweep.zip and sweep.exclude shape a grid, and a search has none")
        parser = command.composer.parser
        space = read_space(command.words, self.settings.search, parser)
        self.space = with_conditions(space, command.composer)
        self.planner = command.planner(swept=list(self.space.distributions))
        # Refuses a wrong key or value before anything is written
        points = dict.fromkeys(self.space.words(at) for at in self.space.corners())
        checked_points = [self.planner.planned(words) for words in points]
        self.first: Config = checked_points[0].config
        variants = list(dict.fromkeys(point.variant for point in checked_points))
        if notice := self.planner.kernels.notice(variants, of="points of the space"):
            self.planner.notices[notice] = None
        metrics = check_task(self.first).metrics
        check_objective(
            self.settings.objective,
            self.settings.direction,
            {name: metric.higher_is_better for name, metric in metrics.items()},
        )
        if self.first.data.valid == 0:
            raise ConfigError(
                f"{self.settings.objective} is read on validation images, and data.valid=0 sets "
                "none aside; choose data.valid=5000, say"
            )
        if self.settings.sampler == "grid":
            self.space.grid().__next__()
        if self.settings.sampler == "cmaes":
            self.space.check_cma_es()

    def say_what_is_asked(self) -> None:
        settings, console = self.settings, self.command.console
        say(console, f"search {near(self.command.folder.path)}")
        for notice in self.planner.notices:
            say(console, notice)
        say(
            console,
            f"{settings.direction} {settings.objective} over {settings.n_trials} trials, "
            f"sampler={settings.sampler} pruner={settings.pruner} seed={settings.seed}",
        )
        for text in self.space.told():
            say(console, f"  {text}")

    def run(self) -> int:
        """Run the trials that are missing. Returns the command's exit code."""
        command, begun = self.command, time.monotonic()
        study = open_study(command.folder.path, self.settings, asked=self._asked())
        left, budget, num_again = self._missing(study)
        num_done = sum(is_done(trial) for trial in study.get_trials(deepcopy=False))
        say(
            command.console,
            f"{plural(num_done, 'trial')} done, {len(left)} to go on with, {num_again} failed "
            f"before and run again, {budget - num_again} new",
        )
        files.write_text(command.folder.config_path, OmegaConf.to_yaml(command.master))
        self.speeds = measured_speeds(command.neighbours())
        trials = Trials(
            study,
            self.settings,
            self.space,
            folder=command.folder,
            left=left,
            budget=budget,
            plan=self._plan,
            job=functools.partial(command.job, speeds=self.speeds),
        )
        stop_reason, signum = "", 0
        if num_jobs := len(left) + budget:
            stop_reason, signum = self._run_pool(trials, num_jobs)
        ended = [run for run in command.folder.runs() if run.result_path.exists()]
        kept = [(self.first, run) for run in ended if run.path.name not in trials.runs]
        tell_of_kept(kept, command.folder.path, tell=lambda _, text: say(command.console, text))
        show_answer(
            study, trials, self.command, seconds=time.monotonic() - begun, stop_reason=stop_reason
        )
        if signum:
            return 128 + signum
        return 1 if trials.num_failed or stop_reason else 0

    def _run_pool(self, trials: Trials, num_jobs: int) -> tuple[str, int]:
        command, placement = self.command, self.launcher.placement
        slots = placement.slots([self.first])[:num_jobs]
        # how many trials share a job of a queue; elsewhere the first point says too little
        mean_s = estimate(self.first, self.speeds) if placement.is_queue else math.nan
        opening = Opening(
            configs=[self.first],
            slots=slots,
            threads=threads_of([self.first]),
            policy=policy_of(command.options, placement),
            folder=command.folder,
            console=command.console,
            num_jobs=num_jobs,
            expected_s=total([mean_s] * num_jobs, len(slots)),
            views=[trials],
            metric=self.settings.objective,  # the test is not for choosing
        )
        with open_pool(self.launcher, opening) as pool:
            trials.pool = pool
            # One a slot; each that ends brings the next one in
            jobs = (trials.next_job() for _ in pool.slots)
            pool.run([job for job in jobs if job is not None])
        return pool.stop_reason, pool.stop_signal

    def _missing(self, study: Any) -> tuple[list[Any], int, int]:
        """Trials to go on with, how many to ask for, and how many of those have failed before."""
        left = left_running(study)
        num_again = queue_failed(study)
        if self.settings.sampler == "grid":
            queue_grid(study, self.space)
        trials = study.get_trials(deepcopy=False)
        num_done = sum(is_done(trial) for trial in trials)
        budget = max(0, self.settings.n_trials - num_done - len(left))
        if self.settings.sampler == "grid":
            budget = min(budget, sum(t.state.name == "WAITING" for t in trials))
        return left, budget, min(num_again, budget)

    def _plan(self, words: tuple[str, ...]) -> PlannedRun:
        command = self.command
        (run,) = self.planner.decide([self.planner.planned(words)], command.options.stale)
        if run.action == "rerun":
            command.folder.set_aside(run.folder)
        return run

    def _asked(self) -> dict[str, Any]:
        """What all trials share: the config without what is searched, the space, the code.

        A trial of a cell whose own code has changed is stale by itself.
        """
        config = {
            key: value
            for key, value in plain(self.first).items()
            if key not in ("tracker", "sweep", *self.space.texts)
        }
        config.get("data", {}).pop("root", None)
        for key in self.space.texts:
            group, _, name = key.rpartition(".")
            if group in config:
                config[group].pop(name, None)
        # of a searched group, whose first option alone is in the first config
        fixed = {
            key: word.partition("=")[2]
            for word in self.space.fixed
            if (key := key_of(word)).partition(".")[0] in self.space.texts and key != "data.root"
        }
        return {
            **config,
            "fixed": fixed,
            "search": self.space.texts,
            "objective": self.settings.objective,
            "code": code_identity.code_hash()[:8],
        }
