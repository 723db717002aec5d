"""Hands out the runs of `sweep.until=decided`, and tells which arms are open and why."""

import math
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console

from mnist_seq.report.analyse.guess import guess_of
from mnist_seq.report.analyse.judging import LOST
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
from mnist_seq.sweep.until.decide import Differences, Lost, State, decide

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
        self._lost: set[str] = set()  # runs that diverged or failed
        self._guess = math.nan  # what counts for them in the second reading
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
        if math.isnan(self._guess):
            guess = guess_of([run]).of(self._metric)
            self._guess = guess if math.isfinite(guess) else math.nan
        self._values[name] = self._metric.of(run)
        if run.state in LOST:
            self._lost.add(name)

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

    def _differences(self, own: Any, base: Any) -> Iterator[float | Lost | None]:
        for seed in self._order:
            pair = (own.get(seed), base.get(seed))
            if not all(name in self._values for name in pair):
                return
            lost = self._lost.intersection(pair)
            a, b = (self._guess if name in lost else self._values[name] for name in pair)
            d = None if a is None or b is None else a - b
            yield Lost(d) if lost else d

    def _tell(self) -> None:
        """Note and say which arms have ended since."""
        for arm, state in self._decided().items():
            if state.word != self._told[arm]:
                self._told[arm] = state.word
                self._note(arm, state)
                head = "open again" if state.is_open else "decided"
                say(self.console, f"{head}: {arm} {self.why(state)}")

    def _note(self, arm: str, state: State) -> None:
        """Write down how an arm has ended, once; and that it is open again."""
        facts = {"seeds": state.seeds, "max_seeds": self.recorded.max_seeds}
        row = {"arm": arm, "word": state.word, **facts}
        known = [found for found in self.folder.decisions() if found.get("arm") == arm]
        last = known[-1] if known else {"word": "open"}
        if row.items() <= last.items() or (state.is_open and last.get("word") == "open"):
            return
        self.folder.note_decision(
            arm, state.word, **facts, p_adjusted=state.p_adjusted, chance=state.chance
        )

    def why(self, state: State) -> str:
        """How an arm has ended, or why it is open, in words."""
        at = f"after {plural(state.seeds, 'seed')}"
        text = f"{state.word} {at}"
        if state.word == "out of reach":
            cap = self.recorded.max_seeds
            text += f": chance of a verdict within {cap} seeds {state.chance:.1%}"
        elif state.word == "at the cap":
            text = f"undecided at the cap of {plural(state.seeds, 'seed')}"
        elif state.is_open:
            text = f"open at {plural(state.seeds, 'seed')}"
        if state.is_withheld:
            text += "; withheld: no verdict where runs that diverged or failed count as a guess"
        return text

    def in_a_line(self) -> str:
        """What is open, and how many arms have ended how."""
        states = self._states
        still = [
            f"{arm} ({s.seeds}{', withheld' if s.is_withheld else ''})"
            for arm, s in states.items()
            if s.is_open
        ]
        shown = ", ".join(still[:8]) + (f" and {len(still) - 8} more" if still[8:] else "")
        words = [s.word for s in states.values() if not s.is_open]
        counts = [f"{words.count(word)} {word}" for word in dict.fromkeys(words)]
        return "; ".join([f"open: {shown}"] * bool(still) + counts)

    def say_end(self) -> None:
        """The closing summary: how each arm has ended, and what is open."""
        say(self.console, "")
        width = max(map(len, self._states), default=0)
        for arm, state in self._states.items():
            say(self.console, f"{arm:<{width}}  {self.why(state)}")
        used, most = len(self.given), len(self._runs)
        say(self.console, f"{plural(used, 'run')} of at most {most}")
