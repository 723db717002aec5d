"""Runs one sweep command: plan, launch, summary."""

import contextlib
import shlex
import time
from collections.abc import Sequence

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig, OmegaConf

from mnist_seq.config import ConfigError
from mnist_seq.report.read.planned import SweepPlan
from mnist_seq.runs import files
from mnist_seq.runs.console import say
from mnist_seq.runs.text import plural
from mnist_seq.runs.variants import flat
from mnist_seq.sweep.command import SweepCommand
from mnist_seq.sweep.engines import Launcher
from mnist_seq.sweep.engines.foreign import ForeignLauncher
from mnist_seq.sweep.open_pool import open_pool, policy_of
from mnist_seq.sweep.plan.baselines import missing_baselines
from mnist_seq.sweep.plan.estimate import Speeds, seconds_a_step, total
from mnist_seq.sweep.plan.expand import Grid, expand, without
from mnist_seq.sweep.plan.others import runs_to_compare
from mnist_seq.sweep.plan.planner import Plan, PlannedRun, Planner
from mnist_seq.sweep.plan.record import judged_by, plan_of, record_plan
from mnist_seq.sweep.pool.failures import state_of
from mnist_seq.sweep.pool.fork_server import stop_fork_server
from mnist_seq.sweep.pool.opening import Opening
from mnist_seq.sweep.pool.slots import Slots, threads_of
from mnist_seq.sweep.stack.sizes import in_words, most_runs
from mnist_seq.sweep.stack.stackable import check_stackable, shape_of
from mnist_seq.sweep.summary import grouped, show_end, show_plan
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
        stop_fork_server()
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

    def plan(self) -> Plan:
        """Find out which runs must be trained, and print the plan."""
        plan = self._planned()
        self._place(plan)
        params = [_num_params(members) for _, _, members in grouped(plan.runs)]
        workers = len(self.slots)
        show_plan(plan, self.console, speeds=self.speeds, workers=workers, params=params)
        if text := judged_by(self._recorded(plan)):
            say(self.console, text)
        if self.is_stacking and plan.todo:
            shapes = [shape_of(run.config) for run in plan.todo]
            max_runs = self.launcher.placement.max_runs
            most = most_runs(shapes, self.slots, max_runs=max_runs)
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
        notices = [*planner.notices, *[notice] * bool(notice)]
        plan = Plan(self.folder, runs, grid.swept, notices, where)
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
        self.speeds = seconds_a_step(self.command.neighbours())
        placement = self.launcher.placement
        self.slots = placement.slots([run.config for run in plan.todo])
        self.is_stacking = placement.is_stacking(self.slots)
        if self.is_stacking:
            self.speeds = {}  # times of single runs say nothing about a stack
            if self.options.unstackable == "error":
                check_stackable(plan.todo)

    def _grid(self) -> Grid:
        grid = expand(
            self.command.words,
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
        begun = time.monotonic()
        record_plan(self.folder, self._recorded(plan))
        files.write_text(self.folder.config_path, OmegaConf.to_yaml(self.command.master))
        for run in plan.runs:
            if run.action == "rerun":
                self.folder.set_aside(run.folder)
            self.folder.note("reused" if run.action == "reuse" else "planned", run.name)
        stop_reason, signum = "", 0
        if plan.todo:
            if isinstance(self.launcher, ForeignLauncher):
                stop_reason = self.launcher.launch(plan, sweep_name=self.options.name)
            else:
                stop_reason, signum = self._run_pool(plan, self.launcher)
        kept = [(run.config, run.folder) for run in plan.runs if run.action == "reuse"]
        tell_of_kept(kept, self.folder.path, tell=lambda _, text: say(self.console, text))
        seconds = time.monotonic() - begun
        self._show_table(plan)
        num_undone = show_end(
            plan,
            self.console,
            seconds=seconds,
            stop_reason=stop_reason,
            command=self.command.again,
        )
        if signum:
            return 128 + signum
        return 1 if num_undone or stop_reason else 0

    def _recorded(self, plan: Plan) -> SweepPlan:
        """The plan as it is recorded before the first run."""
        return plan_of(plan, self.options, defaults=self.command.defaults, mode="fixed")

    def _run_pool(self, plan: Plan, launcher: Launcher) -> tuple[str, int]:
        configs = [run.config for run in plan.todo]
        jobs = [
            self.command.job(i, run, speeds=self.speeds, is_stacking=self.is_stacking)
            for i, run in enumerate(plan.runs)
            if run.action != "reuse"
        ]
        opening = Opening(
            configs=configs,
            slots=self.slots[: len(jobs)],
            threads=threads_of(configs),
            policy=policy_of(self.options, launcher.placement),
            folder=self.folder,
            console=self.console,
            num_jobs=len(jobs),
            expected_s=total([job.expected_s for job in jobs], len(self.slots)),
            is_stacking=self.is_stacking,
        )
        with open_pool(launcher, opening) as pool:
            pool.run(jobs)
        return pool.stop_reason, pool.stop_signal

    def _show_table(self, plan: Plan) -> None:
        """Print the comparison with the baseline, as `mnist_seq.compare` does."""
        states = [state_of(run.folder)[0] for run in plan.runs]
        if "finished" not in states:
            return
        from mnist_seq.report.build import build
        from mnist_seq.report.options import Options
        from mnist_seq.report.read.collect import collect
        from mnist_seq.report.render.terminal import print_table

        try:
            found = collect([self.folder.path])
            options = Options(where=plan.where)
            report = build(found, options, defaults=flat(self.command.defaults), is_table_only=True)
        except ValueError as error:  # the folder may also have runs of another command
            say(self.console, f"no comparison: {error}")
        else:
            if len(report.variants) > 1:
                self.console.print()
                print_table(report, self.console)


def _twins(grid: Grid, runs: Sequence[PlannedRun]) -> str:
    """A notice on combinations that have the same config as others, and so no run of their own."""
    there = {run.overrides for run in runs}
    left = [words for words in grid.jobs if words not in there]
    return (
        f"{len(left)} of {len(grid.jobs)} combinations ask for what another one asks for too, and "
        f"have no run of their own, such as {shlex.join(left[0])}"
    )


def check_fit(plan: Plan, *, is_here: bool) -> None:
    """Refuse a plan with an impossible run.

    Args:
        is_here: whether the runs train on this machine; otherwise each checks its own machine.

    Raises:
        ConfigError: names the key to be changed.
    """
    if not plan.todo:
        return
    from mnist_seq.tracking import check_tracker
    from mnist_seq.training.preflight.prepare import check_machine

    for variant in {run.variant for run in plan.todo} if is_here else ():
        check_machine(variant.prepared.config)
    for config in {run.config.tracker.name: run.config for run in plan.todo}.values():
        check_tracker(config)


def _num_params(runs: Sequence[PlannedRun]) -> int:
    """Number of parameters of a variant, from an existing run: counting them anew needs torch."""
    for run in runs:
        if run.action == "reuse":
            with contextlib.suppress(KeyError, TypeError):
                return int(run.folder.result()["num_params"])
    from mnist_seq.training.preflight.count import num_params

    return num_params(runs[0].config)
