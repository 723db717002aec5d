"""Hands out the runs of `sweep.until=decided`, and tells which arms are open and why."""

from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console

from mnist_seq.report.read.collect import read_run
from mnist_seq.report.read.metric import Metric, metric_of
from mnist_seq.report.read.planned import SweepPlan
from mnist_seq.report.read.run import Run
from mnist_seq.runs.console import say
from mnist_seq.runs.folder import RunFolder
from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.runs.text import plural
from mnist_seq.sweep.plan.planner import Plan, PlannedRun
from mnist_seq.sweep.pool.jobs import Outcome, PoolJob
from mnist_seq.sweep.pool.pool import Pool
from mnist_seq.sweep.pool.views import LineView
from mnist_seq.sweep.until.decide import Differences, State, decide

_ENDED = ("finished", "diverged", "failed", "unreadable")


class Seeds:
    """A view of the pool that adds the next run whenever one has ended.

    Runs go in the order of their seeds, at each seed the baselines first, then the open arms. No
    run waits for a round: while pairs are at work, free slots begin with the next seeds. A run of
    an arm that has ended meanwhile finishes, and counts.

    Args:
        plan: all runs up to the cap.
        recorded: the plan as `plan.json` has it.
        job: run -> its job in the pool.

    Attributes:
        given: names of the runs that were handed out, or had ended before.
    """

    def __init__(
        self,
        plan: Plan,
        recorded: SweepPlan,
        *,
        console: Console,
        job: Callable[[PlannedRun], PoolJob],
    ) -> None:
        self.folder: SweepFolder = plan.folder
        self.recorded, self.console, self._job = recorded, console, job
        self.pool: Pool | None = None
        self.capacity = 1
        self.given: set[str] = set()
        self._runs = {run.name: run for run in plan.runs}
        self._order = list(dict.fromkeys(s for arm in recorded.arms.values() for s in arm.runs))
        self._values: dict[str, float | None] = {}
        self._metric: Metric | None = None
        self._at_work = 0
        for run in plan.runs:
            if run.action == "reuse":
                self._settle(run.folder)
        self._told = {a: s.word for a, s in self._decided().items()}
        for arm, state in self.states.items():
            self._note(arm, state)

    @property
    def states(self) -> dict[str, State]:
        """Where each compared arm stands."""
        return self._states

    @property
    def runs(self) -> list[PlannedRun]:
        """The runs that were handed out, or had ended before."""
        return [run for name, run in self._runs.items() if name in self.given]

    def first_batch(self) -> list[PlannedRun]:
        """The runs that are needed whatever comes, and as many more as there is room for."""
        found: list[PlannedRun] = []
        for run in self._next_runs():
            is_first = self._order.index(run.config.seed) < self.recorded.first_seeds
            if not is_first and len(found) >= self.capacity:
                break
            found.append(self._give(run))
        return found

    def next_round(self) -> list[PlannedRun]:
        """The runs of the next seed of each open arm: for launchers without a queue."""
        seed: int | None = None
        found: list[PlannedRun] = []
        for run in self._next_runs():
            index = self._order.index(run.config.seed)
            if seed is not None and index >= self.recorded.first_seeds and run.config.seed != seed:
                break
            seed = run.config.seed
            found.append(self._give(run))
        return found

    def settle(self, runs: list[PlannedRun]) -> None:
        """Take the results of runs that a launcher without a queue has run."""
        for run in runs:
            self._settle(run.folder)
        self._tell()

    # What a pool tells its views

    def started(self, job: PoolJob, slot: int) -> None: ...

    def event(self, job: PoolJob, event: Any) -> None: ...

    def stopping(self, reason: str) -> None: ...

    def ended(self, outcome: Outcome, *, is_retried: bool) -> None:
        if is_retried:
            return
        self._at_work -= 1
        if outcome.state != "interrupted":
            self._settle(outcome.job.folder)
        self._tell()
        assert self.pool is not None
        if self.pool.stop_reason:
            return
        for run in self._next_runs():
            if self._at_work >= self.capacity:
                break
            self.pool.add(self._job(self._give(run)))
        self._show()

    def _show(self) -> None:
        """Tell the terminal how many runs there are so far, and what is open."""
        assert self.pool is not None
        for view in self.pool.views:
            if isinstance(view, LineView):
                view.num_jobs = max(view.num_jobs, view.num_ended + self._at_work)
                view.status = self.in_a_line()

    def _give(self, run: PlannedRun) -> PlannedRun:
        self.given.add(run.name)
        self._at_work += 1
        self.folder.note("planned", run.name)
        return run

    def _next_runs(self) -> Iterator[PlannedRun]:
        """Runs that are wanted and were not handed out, in the order in which they should go."""
        arms = self.recorded.arms.values()
        is_open = {name for name, state in self._states.items() if state.is_open}
        bases = {arm.baseline for arm in arms if arm.name in is_open}
        wanted = [a for a in arms if a.name in bases] + [a for a in arms if a.name in is_open]
        for seed in self._order[: self.recorded.max_seeds]:
            for arm in wanted:
                name = arm.runs.get(seed)
                if name is not None and name not in self.given:
                    yield self._runs[name]

    def _settle(self, folder: RunFolder) -> None:
        """Read the value of a run that has ended; one that diverged or failed has none."""
        run = read_run(folder)
        name = folder.path.name
        self.given.add(name)
        if not isinstance(run, Run) or run.state not in _ENDED:
            self._values[name] = None  # failed before it began, or on another machine's disk
            return
        if self._metric is None:
            self._metric = metric_of(self.recorded.metric, run.task)
        self._values[name] = self._metric.of(run)

    def _decided(self) -> dict[str, State]:
        metric = self._metric
        found: dict[str, Differences] = {}
        for arm in self.recorded.arms.values():
            if not arm.is_compared:
                continue
            base = self.recorded.arms[arm.baseline].runs
            found[arm.name] = list(self._differences(arm.runs, base))
        better = metric is None or metric.higher_is_better
        self._states = decide(found, self.recorded, higher_is_better=better)
        return self._states

    def _differences(self, own: Any, base: Any) -> Iterator[float | None]:
        for seed in self._order:
            if own.get(seed) not in self._values or base.get(seed) not in self._values:
                return
            a, b = self._values[own[seed]], self._values[base[seed]]
            yield None if a is None or b is None else a - b

    def _tell(self) -> None:
        """Note and say which arms have ended since."""
        for arm, state in self._decided().items():
            if state.word != self._told[arm]:
                self._told[arm] = state.word
                self._note(arm, state)
                say(self.console, f"decided: {arm} {self.why(state)}")

    def _note(self, arm: str, state: State) -> None:
        """Write down how an arm has ended, once."""
        if state.is_open:
            return
        facts = {"seeds": state.seeds, "max_seeds": self.recorded.max_seeds}
        row = {"arm": arm, "word": state.word, **facts}
        if any(row.items() <= known.items() for known in self.folder.decisions()):
            return
        self.folder.note_decision(
            arm, state.word, **facts, p_adjusted=state.p_adjusted, chance=state.chance
        )

    def why(self, state: State) -> str:
        """How an arm has ended, in words."""
        at = f"after {plural(state.seeds, 'seed')}"
        if state.word == "out of reach":
            cap = self.recorded.max_seeds
            return f"out of reach {at}: chance of a verdict within {cap} seeds {state.chance:.1%}"
        if state.word == "at the cap":
            return f"undecided at the cap of {plural(state.seeds, 'seed')}"
        return f"{state.word} {at}"

    def in_a_line(self) -> str:
        """What is open, and how many arms have ended how."""
        states = self._states
        still = [f"{arm} ({s.seeds})" for arm, s in states.items() if s.is_open]
        shown = ", ".join(still[:8]) + (f" and {len(still) - 8} more" if still[8:] else "")
        words = [s.word for s in states.values() if not s.is_open]
        counts = [f"{words.count(word)} {word}" for word in dict.fromkeys(words)]
        return "; ".join([f"open: {shown}"] * bool(still) + counts)

    def say_end(self) -> None:
        """The closing summary: how each arm has ended, and what is open."""
        say(self.console, "")
        width = max(map(len, self._states), default=0)
        for arm, state in self._states.items():
            text = f"open at {plural(state.seeds, 'seed')}" if state.is_open else self.why(state)
            say(self.console, f"{arm:<{width}}  {text}")
        used, most = len(self.given), len(self._runs)
        say(self.console, f"{plural(used, 'run')} of at most {most}")
