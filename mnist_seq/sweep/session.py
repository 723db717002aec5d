"""One sweep command from its overrides to its last line."""

import contextlib
import importlib
import pickle
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig, OmegaConf, flag_override

from mnist_seq.config import Config, ConfigError, plain
from mnist_seq.config.parse import parse
from mnist_seq.runs import files
from mnist_seq.runs.console import QuietConsole, say
from mnist_seq.runs.overrides import override, quoted
from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.runs.variants import flat
from mnist_seq.sweep.engines import Launcher
from mnist_seq.sweep.engines.foreign import ForeignLauncher
from mnist_seq.sweep.open_pool import open_pool, policy_of
from mnist_seq.sweep.plan.arms import study_of
from mnist_seq.sweep.plan.baselines import missing_baselines
from mnist_seq.sweep.plan.compose import Composer
from mnist_seq.sweep.plan.estimate import Speeds, estimate, seconds_a_step, total
from mnist_seq.sweep.plan.expand import Grid, expand
from mnist_seq.sweep.plan.planner import Plan, PlannedRun, Planner
from mnist_seq.sweep.pool.failures import state_of
from mnist_seq.sweep.pool.fork_server import stop_fork_server
from mnist_seq.sweep.pool.jobs import PoolJob
from mnist_seq.sweep.pool.opening import Opening
from mnist_seq.sweep.pool.slots import Slots, threads_of
from mnist_seq.sweep.pool.worker import Task
from mnist_seq.sweep.stack.sizes import in_words, most_runs
from mnist_seq.sweep.stack.stackable import check_stackable, shape_of
from mnist_seq.sweep.summary import grouped, show_end, show_plan

TASK = "mnist_seq.job"  # run(cfg), share(configs), watched(...), adopt(shared)


def run_sweep(
    master: DictConfig,
    arguments: Sequence[str],
    *,
    loader: ConfigLoader,
    launcher: Launcher | ForeignLauncher,
) -> None:
    """Plan, print the plan, launch what is left to do, and tell what came of it.

    Args:
        master: the command's config, with Hydra's own node; swept keys have their default values.
        arguments: the command's overrides.

    Raises:
        ConfigError: the sweep cannot be as asked; nothing has run.
        SystemExit: a run failed, or the sweep was stopped by a signal.
    """
    try:
        session = Session(master, arguments, loader=loader, launcher=launcher)
        if session.options.dry_run:
            session.plan()
            say(session.console, "sweep.dry_run=true: nothing was run")
            return
        with session.folder.locked():
            code = session.run(session.plan())
    finally:
        stop_fork_server()
    if code:
        raise SystemExit(code)


class Session:
    def __init__(
        self,
        master: DictConfig,
        arguments: Sequence[str],
        *,
        loader: ConfigLoader,
        launcher: Launcher | ForeignLauncher,
    ) -> None:
        self.master, self.launcher = master, launcher
        self.console = QuietConsole()
        self.composer = Composer(loader, master)
        self.defaults = plain(parse(self.composer.values([])))
        fixed = master.sweep
        if OmegaConf.is_config(fixed):
            fixed = OmegaConf.to_container(fixed, resolve=True)
        values = {**self.composer.values([]), "sweep": fixed}
        self.options = parse(values).sweep
        # One name for all runs, also where it came from the clock
        words = [w for w in arguments if not w.startswith("sweep.name=")]
        for word in set(arguments) - set(words):
            if self.composer.parser.parse_override(word).is_sweep_override():
                raise ConfigError(f"a sweep has one name: {word}; quote a name that holds commas")
        self.study, self.words = study_of(master, words)
        self.folder = SweepFolder(Path(str(master.hydra.sweep.dir)).absolute())
        self.speeds: Speeds = {}
        self.workers = 1
        self.slots: Slots = [{}]
        self.is_stacking = False

    def plan(self) -> Plan:
        """Find out what must run, and print it."""
        options = self.options
        grid = self._grid()
        planner = Planner(
            self.folder, values=self.composer.values, prepare=prepare, swept=grid.swept
        )
        runs = planner.plan(grid.jobs)
        if self.study is not None:
            planner.notices |= dict.fromkeys(self.study.twins([run.overrides for run in runs]))
        elif len(runs) < len(grid.jobs):
            planner.notices[_twins(grid, runs)] = None
        is_adding = options.baseline == "auto" and self.study is None  # a study has its baseline
        added = self._baselines(planner, runs, grid) if is_adding else []
        runs = planner.decide([*runs, *added], options.stale)
        plan = Plan(self.folder, runs, grid.swept, [*planner.notices])
        check_fit(plan)
        if num_added := sum(run.is_baseline for run in runs):
            names = [name for name, _, of in grouped(runs) if any(r.is_baseline for r in of)]
            plan.notices.append(
                f"added {num_added} baseline run{'s' * (num_added > 1)} ({'; '.join(names)}) for "
                "the comparison; sweep.baseline=none leaves them out"
            )
        self.speeds = seconds_a_step(self.neighbours())
        placement = self.launcher.placement
        self.slots = placement.slots([run.config for run in plan.todo])
        self.workers = len(self.slots)
        self.is_stacking = placement.is_stacking(self.slots)
        if self.is_stacking:
            self.speeds = {}  # those of runs alone tell nothing of a stack
            if options.unstackable == "error":
                check_stackable(plan.todo)
        params = [_num_params(members) for _, _, members in grouped(runs)]
        show_plan(plan, self.console, speeds=self.speeds, workers=self.workers, params=params)
        if self.is_stacking and plan.todo:
            shapes = [shape_of(run.config) for run in plan.todo]
            most = most_runs(shapes, self.slots, max_runs=placement.max_runs)
            say(self.console, in_words(shapes, most))
        return plan

    def neighbours(self) -> list[Path]:
        """Folders whose runs tell how long a run takes here."""
        sweeps = self.folder.path.parent
        return [sweeps.parent / "runs", *(path for path in sweeps.glob("*") if path.is_dir())]

    def _grid(self) -> Grid:
        grid = expand(
            self.words,
            self.composer.parser,
            zipped=self.options.zip,
            excluded=self.options.exclude,
        )
        odd = [key for key in grid.swept if key.startswith(("sweep.", "hydra"))]
        if odd:
            raise ConfigError(
                f"a sweep runs over what a run is asked to do, and {odd[0]} says how runs are "
                f"launched: give {odd[0]} one value"
            )
        return grid if self.study is None else self.study.over(grid)

    def _baselines(self, planner: Planner, runs: list[PlannedRun], grid: Grid) -> list[PlannedRun]:
        try:
            return missing_baselines(
                runs,
                defaults=self.defaults,
                swept=grid.swept,
                plan=lambda job, keys: planner.planned(job, is_baseline=True, also_named=keys),
            )
        except ConfigError as error:
            planner.notices[f"no baseline runs could be added: {error}"] = None
            return []

    def run(self, plan: Plan) -> int:
        """Launch the plan. Returns the command's exit code."""
        begun = time.monotonic()
        files.write_text(self.folder.config_path, OmegaConf.to_yaml(self.master))
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
        seconds = time.monotonic() - begun
        self._show_table(plan)
        num_undone = show_end(
            plan,
            self.console,
            seconds=seconds,
            stop_reason=stop_reason,
            command=self.command(),
        )
        if signum:
            return 128 + signum
        return 1 if num_undone or stop_reason else 0

    def _run_pool(self, plan: Plan, launcher: Launcher) -> tuple[str, int]:
        task, configs = importlib.import_module(TASK), [run.config for run in plan.todo]
        shared = task.share(configs)
        jobs = [self.job(i, run) for i, run in enumerate(plan.runs) if run.action != "reuse"]
        expected = total([job.expected_s for job in jobs], self.workers)
        watched = task.watched(configs, self.folder.path, lambda _, text: say(self.console, text))
        opening = Opening(
            Task(TASK, shared),
            slots=self.slots[: max(1, len(jobs))],
            threads=threads_of(configs),
            policy=policy_of(self.options, launcher.placement),
            folder=self.folder,
            console=self.console,
            num_jobs=len(jobs),
            expected_s=expected,
            is_stacking=self.is_stacking,
        )
        with watched as views, open_pool(launcher, replace(opening, views=views)) as pool:
            pool.run(jobs)
        return pool.stop_reason, pool.stop_signal

    def job(self, index: int, run: PlannedRun) -> PoolJob:
        def pickled() -> bytes:
            words = [*run.overrides, f"sweep.name={quoted(self.options.name)}"]
            cfg = self.composer.whole(words, name=run.name, index=index)
            with flag_override(cfg, ["struct", "readonly"], [False, False]):
                cfg.hydra.sweep.dir = str(self.folder.path)
            return pickle.dumps(cfg)

        seconds = estimate(run.config, self.speeds)
        return PoolJob(
            run.name,
            run.folder,
            pickled,
            expected_s=seconds if seconds == seconds else 0.0,
            shape=shape_of(run.config) if self.is_stacking else "",
        )

    def _show_table(self, plan: Plan) -> None:
        """The comparison with the baseline, as `mnist_seq.compare` makes it."""
        states = [state_of(run.folder)[0] for run in plan.runs]
        if "finished" not in states:
            return
        from mnist_seq.report.build import build
        from mnist_seq.report.options import Options
        from mnist_seq.report.read.collect import collect
        from mnist_seq.report.render.terminal import print_table

        try:
            found = collect([self.folder.path])
            report = build(found, Options(), defaults=flat(self.defaults), is_table_only=True)
        except ValueError as error:  # runs of another command may lie in the folder too
            say(self.console, f"no comparison: {error}")
        else:
            if len(report.variants) > 1:
                self.console.print()
                print_table(report, self.console)

    def command(self) -> str:
        words = sys.argv[1:]
        if not any(word.startswith(("sweep.name=", "hydra.sweep.dir=")) for word in words):
            words = [*words, override("sweep.name", self.options.name)]
        program = Path(sys.argv[0]).name
        start = program if program.startswith("mnist-seq") else "python -m mnist_seq.train"
        return f"{start} {shlex.join(words)}"


def prepare(config: Config) -> tuple[Config, str, str]:
    """Find a config's data, as a planner wants it."""
    from mnist_seq.training.preflight.find import find_data
    from mnist_seq.training.preflight.match import with_hidden_solved

    config, located = find_data(with_hidden_solved(config))
    return config, located.fingerprint, located.notice


def _twins(grid: Grid, runs: Sequence[PlannedRun]) -> str:
    """A notice of the combinations that have no run of their own."""
    there = {run.overrides for run in runs}
    left = [words for words in grid.jobs if words not in there]
    return (
        f"{len(left)} of {len(grid.jobs)} combinations ask for what another one asks for too, and "
        f"have no run of their own, such as {shlex.join(left[0])}"
    )


def check_fit(plan: Plan) -> None:
    """Refuse a plan with a run that cannot fit into memory, or whose tracker cannot work here.

    Raises:
        ConfigError: names the key to be made smaller, or the package to be installed.
    """
    if plan.todo:
        from mnist_seq.tracking import check_tracker
        from mnist_seq.training.preflight.check import check_run

        for run in plan.todo:
            check_run(run.config)
        for config in {run.config.tracker.name: run.config for run in plan.todo}.values():
            check_tracker(config)


def _num_params(runs: Sequence[PlannedRun]) -> int:
    """Parameters of a variant: from a run that is there, since building one needs torch."""
    for run in runs:
        if run.action == "reuse":
            with contextlib.suppress(KeyError, TypeError):
                return int(run.folder.result()["num_params"])
    from mnist_seq.training.preflight.count import num_params

    return num_params(runs[0].config)
