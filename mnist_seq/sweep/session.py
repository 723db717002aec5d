"""One sweep command from its overrides to its last line."""

import functools
import importlib
import os
import pickle
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from hydra.core.config_loader import ConfigLoader
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, OmegaConf, flag_override
from rich.console import Console

from mnist_seq.config import Config, ConfigError, plain
from mnist_seq.config.parse import parse
from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.sweep import engines
from mnist_seq.sweep.baselines import missing_baselines
from mnist_seq.sweep.compose import Composer
from mnist_seq.sweep.estimate import Speeds, estimate, seconds_a_step, total
from mnist_seq.sweep.expand import Grid, expand
from mnist_seq.sweep.plan import Plan, PlannedRun, Planner
from mnist_seq.sweep.pool import Policy, Pool, PoolJob, View, cores, gpu_slots
from mnist_seq.sweep.summary import grouped, say, show_end, show_plan
from mnist_seq.sweep.views import LedgerView, LineView, LiveView
from mnist_seq.sweep.worker import Task

TASK = "mnist_seq.job"  # run(cfg), share(configs), adopt(shared)


def run_sweep(
    master: DictConfig, arguments: Sequence[str], *, loader: ConfigLoader, launcher: Launcher
) -> None:
    """Plan, print the plan, launch what is left to do, and tell what came of it.

    Args:
        master: the command's config, with Hydra's own node; swept keys have their default values.
        arguments: the command's overrides.

    Raises:
        ConfigError: the sweep cannot be as asked; nothing has run.
        SystemExit: a run failed, or the sweep was stopped by a signal.
    """
    session = _Session(master, arguments, loader=loader, launcher=launcher)
    if session.options.dry_run:
        session.plan()
        say(session.console, "sweep.dry_run=true: nothing was run")
        return
    with session.folder.locked():
        plan = session.plan()
        code = session.run(plan)
    if code:
        raise SystemExit(code)


class _Session:
    def __init__(
        self,
        master: DictConfig,
        arguments: Sequence[str],
        *,
        loader: ConfigLoader,
        launcher: Launcher,
    ) -> None:
        self.master, self.launcher = master, launcher
        self.console = Console()
        self.composer = Composer(loader, master)
        self.defaults = plain(parse(self.composer.values([])))
        fixed = OmegaConf.to_container(master.sweep, resolve=True)
        values = {**self.composer.values([]), "sweep": fixed}
        self.options = parse(values).sweep
        # One name for all runs, also where it came from the clock
        self.words = [w for w in arguments if not w.startswith("sweep.name=")]
        self.folder = SweepFolder(Path(str(master.hydra.sweep.dir)).absolute())
        self.speeds: Speeds = {}
        self.workers = 1

    def plan(self) -> Plan:
        """Find out what must run, and print it."""
        options = self.options
        grid = self._grid()
        planner = Planner(
            self.folder, values=self.composer.values, prepare=_prepare, swept=grid.swept
        )
        runs = planner.plan(grid.jobs)
        added = self._baselines(planner, runs, grid) if options.baseline == "auto" else []
        runs = planner.decide([*runs, *added], options.stale)
        plan = Plan(self.folder, runs, grid.swept, [*planner.notices])
        added = [run for run in runs if run.is_baseline]
        if added:
            names = ", ".join(dict.fromkeys(name for name, _, _ in grouped(added)))
            plan.notices.append(
                f"added {len(added)} baseline run{'s' * (len(added) > 1)} ({names}) for the "
                "comparison; sweep.baseline=none leaves them out"
            )
        self.speeds = seconds_a_step(self.folder.path.parent.parent)
        self.slots = self._slots(runs)
        self.workers = len(self.slots)
        params = [_num_params(members[0].config) for _, _, members in grouped(runs)]
        show_plan(plan, self.console, speeds=self.speeds, workers=self.workers, params=params)
        return plan

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
        return grid

    def _baselines(self, planner: Planner, runs: list[PlannedRun], grid: Grid) -> list[PlannedRun]:
        try:
            return missing_baselines(
                runs,
                defaults=self.defaults,
                swept=grid.swept,
                plan=functools.partial(planner.plan, is_baseline=True),
            )
        except ConfigError as error:
            planner.notices[f"no baseline runs could be added: {error}"] = None
            return []

    def _slots(self, runs: list[PlannedRun]) -> list[dict[str, str]]:
        """Environments of the jobs that run at once."""
        workers = getattr(self.launcher, "workers", 1)
        per_device = getattr(self.launcher, "slots_per_device", 1)
        devices = {run.config.device.name for run in runs}
        num_gpus = _num_gpus() if devices & {"auto", "cuda"} else 0
        if num_gpus:
            slots = gpu_slots(num_gpus, per_device)
        else:
            threads = max(run.config.device.threads for run in runs)
            slots = [{}] * max(1, cores() // threads)
        if workers != "auto":
            slots = [slots[i % len(slots)] for i in range(workers)]
        return slots

    def run(self, plan: Plan) -> int:
        """Launch the plan. Returns the command's exit code."""
        begun = time.monotonic()
        OmegaConf.save(self.master, self.folder.path / "multirun.yaml")
        for run in plan.runs:
            if run.action == "rerun":
                self.folder.set_aside(run.folder)
            self.folder.note("reused" if run.action == "reuse" else "planned", run.name)
        stop_reason, signum = "", 0
        if plan.todo:
            if isinstance(getattr(self.launcher, "grace", None), int | float):
                stop_reason, signum = self._run_pool(plan)
            else:
                stop_reason = engines.launch(plan, self.launcher, sweep_name=self.options.name)
        self._show_table()
        num_failed = show_end(
            plan,
            self.console,
            seconds=time.monotonic() - begun,
            stop_reason=stop_reason,
            command=self._command(),
        )
        if signum:
            return 128 + signum
        return 1 if num_failed or stop_reason else 0

    def _run_pool(self, plan: Plan) -> tuple[str, int]:
        shared = importlib.import_module(TASK).share([run.config for run in plan.todo])
        for notice in shared.notices:
            say(self.console, notice)
        jobs = [self._job(i, run) for i, run in enumerate(plan.runs) if run.action != "reuse"]
        options = self.options
        policy = Policy(
            on_failure=options.on_failure,
            retries=options.retries,
            timeout_s=options.timeout,
            stop_after_same_failures=options.stop_after_same_failures,
            grace_s=getattr(self.launcher, "grace", 20.0),
        )
        views: list[View] = [LedgerView(self.folder)]
        expected = total([job.expected_s for job in jobs], self.workers)
        slots = self.slots[: max(1, len(jobs))]
        task = Task(TASK, shared)
        if self.console.is_terminal:
            live = LiveView(self.console, len(jobs), len(slots), expected)
            pool = Pool(task, slots=slots, policy=policy, views=[*views, live])
            with live.live:
                pool.run(jobs)
        else:
            pool = Pool(task, slots=slots, policy=policy,
                        views=[*views, LineView(self.console, len(jobs))])  # fmt: skip
            pool.run(jobs)
        return pool.stop_reason, pool.stop_signal

    def _job(self, index: int, run: PlannedRun) -> PoolJob:
        def pickled() -> bytes:
            words = [*run.overrides, f"sweep.name={engines.quoted(self.options.name)}"]
            cfg = self.composer.whole(words, name=run.name, index=index)
            with flag_override(cfg, ["struct", "readonly"], [False, False]):
                cfg.hydra.sweep.dir = str(self.folder.path)
            return pickle.dumps(cfg)

        seconds = estimate(run.config, self.speeds)
        return PoolJob(run.name, run.folder, pickled, seconds if seconds == seconds else 0.0)

    def _show_table(self) -> None:
        """The comparison with the baseline, by the report that `mnist_seq.compare` makes."""

    def _command(self) -> str:
        words = sys.argv[1:]
        if not any(word.startswith(("sweep.name=", "hydra.sweep.dir=")) for word in words):
            words = [*words, f"sweep.name={self.options.name}"]
        program = Path(sys.argv[0]).name
        start = program if program.startswith("mnist-seq") else "python -m mnist_seq.train"
        return f"{start} {shlex.join(words)}"


def _prepare(config: Config) -> tuple[Config, str, str]:
    from mnist_seq.training.run import find_data

    config, located = find_data(config)
    return config, located.fingerprint, located.notice


def _num_params(config: Config) -> int:
    from mnist_seq.training.count import num_params

    return num_params(config)


def _num_gpus() -> int:
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        return 0
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0
