"""Runs one sweep command: plan, launch, summary."""

import time
from collections.abc import Sequence
from dataclasses import replace

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig, OmegaConf

from mnist_seq.config import ConfigError
from mnist_seq.report.read.planned import Mode, SweepPlan
from mnist_seq.runs import files
from mnist_seq.runs.console import say
from mnist_seq.runs.text import plural, shell_word
from mnist_seq.runs.variants import flat
from mnist_seq.sweep.command import SweepCommand
from mnist_seq.sweep.engines import Launcher
from mnist_seq.sweep.engines.foreign import ForeignLauncher
from mnist_seq.sweep.open_pool import open_pool, policy_of
from mnist_seq.sweep.plan.baselines import missing_baselines
from mnist_seq.sweep.plan.estimate import Speeds, measured_speeds, total
from mnist_seq.sweep.plan.expand import Grid, expand, without
from mnist_seq.sweep.plan.fit import check_fit, num_params
from mnist_seq.sweep.plan.others import runs_to_compare
from mnist_seq.sweep.plan.planner import Plan, PlannedRun, Planner
from mnist_seq.sweep.plan.record import planned_text, plans_for, record_plans
from mnist_seq.sweep.pool import starts
from mnist_seq.sweep.pool.jobs import PoolJob
from mnist_seq.sweep.pool.opening import Opening
from mnist_seq.sweep.pool.remote import RemotePool
from mnist_seq.sweep.pool.slots import Slots, threads_of
from mnist_seq.sweep.stack.sizes import in_words, most_on_cpu, most_runs
from mnist_seq.sweep.stack.stackable import check_stackable, shape_of
from mnist_seq.sweep.summary import grouped, say_submitted, show_end, show_plan, show_table
from mnist_seq.sweep.until.asked import check_decidable, with_seeds
from mnist_seq.sweep.until.seeds import Seeds
from mnist_seq.tracking.sweep_view import tell_of_kept


def run_sweep(
    master: DictConfig,
    arguments: Sequence[str],
    *,
    loader: ConfigLoader,
    launcher: Launcher | ForeignLauncher,
) -> None:
    """Plan, print the plan, launch the runs, and print the summary.

    Args:
        master: the command's config, with Hydra's own node; swept keys have their default values.
        arguments: the command's overrides.

    Raises:
        ConfigError: the sweep is impossible; nothing has run.
        SystemExit: a run failed, or the sweep was stopped by a signal.
    """
    try:
        command = SweepCommand(master, arguments, loader=loader, launcher=launcher)
        session = Session(command)
        if command.options.dry_run:
            session.plan()
            say(command.console, "sweep.dry_run=true: nothing was run")
            return
        with command.folder.locked():
            code = session.run(session.plan())
    finally:
        starts.end()
    if code:
        raise SystemExit(code)


class Session:
    """The plan of a sweep command, and its launch."""

    def __init__(self, command: SweepCommand) -> None:
        self.command, self.launcher = command, command.launcher
        self.console, self.folder = command.console, command.folder
        self.options, self.study = command.options, command.study
        self.speeds: Speeds = {}
        self.slots: Slots = [{}]
        self.is_stacking = False
        self.seeds: Seeds | None = None  # of sweep.until=decided
        self._records: dict[str, SweepPlan] = {}  # by task

    def plan(self) -> Plan:
        """Find out which runs must be trained, and print the plan."""
        plan = self._planned()
        self._place(plan)
        params = num_params([members for _, _, members in grouped(plan.runs)])
        workers = len(self.slots)
        show_plan(plan, self.console, speeds=self.speeds, workers=workers, params=params)
        for text in planned_text(self.folder, self._recorded(plan)):
            say(self.console, text)
        placement = self.launcher.placement
        if self.is_stacking and not placement.is_here:
            say(self.console, "runs of equal shape go as stacks inside their jobs")
        elif self.is_stacking and plan.todo and not plan.is_at_most:
            shapes = [shape_of(run.config) for run in plan.todo]
            most = most_runs(shapes, self.slots, max_runs=placement.max_runs)
            say(self.console, in_words(shapes, most))
        return plan

    def _planned(self) -> Plan:
        """All runs with their actions."""
        options, grid = self.options, self._grid()
        planner = self.command.planner(swept=grid.swept)
        runs = planner.plan(grid.jobs)
        if self.study is not None:
            planner.notices |= dict.fromkeys(self.study.twins([run.overrides for run in runs]))
        elif len(runs) < len(grid.jobs):
            planner.notices[_twins(grid, runs)] = None
        is_adding = options.baseline == "auto" and self.study is None  # a study has a baseline
        added = self._baselines(planner, runs, grid) if is_adding else []
        runs = planner.decide([*runs, *added], options.stale)
        where, notice = runs_to_compare(self.folder, runs)
        of_kernels = planner.kernels.notice([run.variant for run in runs])
        notices = [text for text in (*planner.notices, of_kernels, notice) if text]
        plan = Plan(self.folder, runs, grid.swept, notices, where)
        if options.until == "decided":
            if self.launcher.placement.is_detached:
                raise ConfigError(
                    "sweep.until=decided chooses seeds while runs end, and "
                    "hydra.launcher.detach=true ends the command before; leave one of them out"
                )
            plan.is_at_most = True
            check_decidable(*self._recorded(plan).values())
        check_fit(plan, is_here=self.launcher.placement.is_here)
        if num_added := sum(run.is_baseline for run in runs):
            names = [name for name, _, of in grouped(runs) if any(r.is_baseline for r in of)]
            plan.notices.append(
                f"added {plural(num_added, 'baseline run')} ({'; '.join(names)}) for "
                "the comparison; sweep.baseline=none leaves them out"
            )
        return plan

    def _place(self, plan: Plan) -> None:
        """Find out where the runs train, and estimate their time."""
        self.speeds = measured_speeds(self.command.neighbours())
        placement = self.launcher.placement
        self.slots = placement.slots([run.config for run in plan.todo])
        self.is_stacking = placement.is_stacking(self.slots)
        if self.is_stacking:
            self.speeds = {}  # times of single runs say nothing about a stack
            if self.options.unstackable == "error":
                check_stackable(plan.todo)

    def _grid(self) -> Grid:
        words = self.command.words
        if self.options.until == "decided":
            words = with_seeds(words, self.study, self.options)
        grid = expand(
            words,
            self.command.composer.parser,
            zipped=self.options.zip,
        )
        odd = [key for key in grid.swept if key.startswith(("sweep.", "hydra"))]
        if odd:
            raise ConfigError(
                f"a sweep runs over what a run is asked to do, and {odd[0]} says how runs are "
                f"launched: give {odd[0]} one value"
            )
        whole = grid if self.study is None else self.study.over(grid)
        return without(whole, self.options.exclude)

    def _baselines(self, planner: Planner, runs: list[PlannedRun], grid: Grid) -> list[PlannedRun]:
        try:
            return missing_baselines(
                runs,
                defaults=self.command.defaults,
                swept=grid.swept,
                plan=lambda job, keys: planner.planned(job, is_baseline=True, also_named=keys),
            )
        except ConfigError as error:
            planner.notices[f"no baseline runs could be added: {error}"] = None
            return []

    def run(self, plan: Plan) -> int:
        """Launch the plan. Returns the command's exit code."""
        begun, recorded = time.monotonic(), self._recorded(plan)
        record_plans(self.folder, recorded.values())
        files.write_text(self.folder.config_path, OmegaConf.to_yaml(self.command.master))
        for run in plan.runs:
            if run.action == "rerun":
                self.folder.set_aside(run.folder)
            if run.action == "reuse" or self.options.until == "planned":
                self.folder.note("reused" if run.action == "reuse" else "planned", run.name)
        stop_reason, signum = "", 0
        if self.options.until == "decided":
            stop_reason, signum = self._run_until_decided(plan, *recorded.values())
        elif plan.todo:
            if isinstance(self.launcher, Launcher) and self.launcher.placement.is_detached:
                self._detach(plan, self.launcher)
                return 0
            if isinstance(self.launcher, ForeignLauncher):
                stop_reason = self.launcher.launch(plan, sweep_name=self.options.name)
            else:
                stop_reason, signum = self._run_pool(plan, self.launcher)
        plan = replace(plan, runs=self.seeds.runs) if self.seeds else plan
        kept = [(run.config, run.folder) for run in plan.runs if run.action == "reuse"]
        tell_of_kept(kept, self.folder.path, tell=lambda _, text: say(self.console, text))
        report = show_table(plan, self.console, defaults=flat(self.command.defaults))
        num_undone = show_end(
            plan,
            self.console,
            seconds=time.monotonic() - begun,
            stop_reason=stop_reason,
            command=self.command.again,
            report=report,
        )
        if signum:
            return 128 + signum
        return 1 if num_undone or stop_reason else 0

    def _recorded(self, plan: Plan) -> dict[str, SweepPlan]:
        """The plan of each task as it is recorded before the first run."""
        if not self._records:  # of hundreds of variants it takes a while
            mode: Mode = "anytime" if self.options.until == "decided" else "fixed"
            defaults = self.command.defaults
            self._records = plans_for(plan, self.options, defaults=defaults, mode=mode)
        return self._records

    def _run_until_decided(self, plan: Plan, recorded: SweepPlan) -> tuple[str, int]:
        """Run seeds of open arms until each is decided. Returns why it was stopped, and by what."""
        places = {run.name: i for i, run in enumerate(plan.runs)}
        seeds = self.seeds = Seeds(
            plan, recorded, console=self.console, job=lambda run: self._job(places[run.name], run)
        )
        stop_reason, signum = "", 0
        if isinstance(self.launcher, ForeignLauncher):
            while not stop_reason and (batch := seeds.next_round()):
                part = replace(plan, runs=batch)
                stop_reason = self.launcher.launch(part, sweep_name=self.options.name)
                seeds.settle(batch)
        else:
            placement = self.launcher.placement
            stack = most_on_cpu(placement.max_runs) if self.is_stacking and placement.is_here else 1
            seeds.capacity = stack * len(self.slots)
            if batch := seeds.first_batch():
                first = replace(plan, runs=batch)
                stop_reason, signum = self._run_pool(first, self.launcher, seeds)
        seeds.say_end()
        return stop_reason, signum

    def _job(self, index: int, run: PlannedRun) -> PoolJob:
        return self.command.job(index, run, speeds=self.speeds, is_stacking=self.is_stacking)

    def _run_pool(
        self, plan: Plan, launcher: Launcher, seeds: Seeds | None = None
    ) -> tuple[str, int]:
        jobs, opening = self._opening(plan, launcher, seeds)
        with open_pool(launcher, opening) as pool:
            if seeds:
                seeds.pool = pool
            pool.run(jobs)
        return pool.stop_reason, pool.stop_signal

    def _detach(self, plan: Plan, launcher: Launcher) -> None:
        """Submit the runs, and say what follows."""
        jobs, opening = self._opening(plan, launcher, None)
        pool = launcher.open_pool(opening)
        assert isinstance(pool, RemotePool)
        say_submitted(*pool.submit(jobs), self.console, self.folder.path, self.command.again)

    def _opening(
        self, plan: Plan, launcher: Launcher, seeds: Seeds | None
    ) -> tuple[list[PoolJob], Opening]:
        configs = [run.config for run in plan.todo]
        jobs = [self._job(i, run) for i, run in enumerate(plan.runs) if run.action != "reuse"]
        slots = self.slots if seeds else self.slots[: len(jobs)]
        opening = Opening(
            configs=configs,
            slots=slots,
            threads=threads_of(configs),
            policy=policy_of(self.options, launcher.placement),
            folder=self.folder,
            console=self.console,
            num_jobs=len(jobs),
            expected_s=total([job.expected_s for job in jobs], len(self.slots)),
            is_stacking=self.is_stacking,
            views=[seeds] if seeds else (),
        )
        return jobs, opening


def _twins(grid: Grid, runs: Sequence[PlannedRun]) -> str:
    """A notice on combinations that have the same config as others, and so no run of their own."""
    there = {run.overrides for run in runs}
    left = [words for words in grid.jobs if words not in there]
    return (
        f"{len(left)} of {len(grid.jobs)} combinations ask for what another one asks for too, and "
        f"have no run of their own, such as {' '.join(map(shell_word, left[0]))}"
    )
