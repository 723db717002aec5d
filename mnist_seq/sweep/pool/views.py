"""The views of a pool: the ledger, plain lines, a live display on a terminal."""

import time
from typing import Any

from rich.console import Console, Group
from rich.constrain import Constrain
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from mnist_seq.runs.console import near, say
from mnist_seq.runs.events import BY_ACCURACY, Progress, Started, value_text
from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.runs.text import duration
from mnist_seq.sweep.pool.pool import Outcome, PoolJob, log_path

_ROOM_FOR_KEYS = 6  # columns: ^C, thrice
LINE_EVERY_S = 60.0  # seconds between two lines if no job starts or ends


class LedgerView:
    """Writes every change of a run's state to the sweep's ledger."""

    def __init__(self, folder: SweepFolder) -> None:
        self.folder = folder

    def started(self, job: PoolJob, slot: int) -> None:
        self.folder.note("started", job.name, worker=slot, attempt=job.attempt)

    def event(self, job: PoolJob, event: Any) -> None: ...

    def ended(self, outcome: Outcome, *, is_retried: bool) -> None:
        facts: dict[str, Any] = {"seconds": round(outcome.seconds, 3)}
        if outcome.reason:
            facts["reason"] = outcome.reason
        self.folder.note(outcome.state, outcome.job.name, **facts)
        if is_retried and outcome.state == "interrupted":
            self.folder.note("resubmitted", outcome.job.name)
        elif is_retried:
            self.folder.note("retried", outcome.job.name, attempt=outcome.job.attempt + 1)

    def stopping(self, reason: str) -> None: ...


class LineView:
    """One line for each event, for logs and pipes; every minute one line on the running jobs."""

    def __init__(self, console: Console, num_jobs: int, *, metric: str = "") -> None:
        self.console, self.num_jobs, self.num_ended = console, num_jobs, 0
        self._metric = metric  # of a run that has finished
        self.status = ""  # what a sweep waits for, besides its runs
        self._at_work: dict[str, _Work] = {}
        self._begun = self._said = time.monotonic()

    def started(self, job: PoolJob, slot: int) -> None:
        self._at_work[job.name] = _Work(job.name, slot)

    def event(self, job: PoolJob, event: Any) -> None:
        if job.name in self._at_work:
            self._at_work[job.name].hear(event)
        if time.monotonic() - self._said > LINE_EVERY_S:
            works = "; ".join(" ".join(work.words()) for work in self._at_work.values())
            left = "; ".join(filter(None, [self._left(), self.status]))
            self.say(f"[{self.num_ended}/{self.num_jobs}] at work: {works}; {left}")

    def ended(self, outcome: Outcome, *, is_retried: bool) -> None:
        self._at_work.pop(outcome.job.name, None)
        self.num_ended += not is_retried and outcome.state != "interrupted"
        self.say(f"[{self.num_ended}/{self.num_jobs}] {self._ending(outcome, is_retried)}")

    def stopping(self, reason: str) -> None:
        why = reason.removeprefix("interrupted by ")
        self.say(
            f"stopping: {why}; running jobs save their checkpoints (a second Ctrl-C "
            "gives them 5 s, a third one ends them at once)"
        )

    def say(self, text: str) -> None:
        """Print plain text."""
        self._said = time.monotonic()
        say(self.console, text)

    def _ending(self, outcome: Outcome, is_retried: bool) -> str:
        name, metric = outcome.job.name, self._metric
        match outcome.state:
            case "finished":
                judged = outcome.job.folder.judged()
                metric = metric or f"test/{judged['main']}"
                value = outcome.job.folder.result()["metrics"].get(metric)
                reached = metric.replace("/", " ")
                reached = "" if value is None else f"{reached} {value_text(metric, value, judged)}"
                return f"finished {name}  {reached}  {duration(outcome.seconds)}"
            case "diverged":
                return f"diverged {name}  {outcome.reason}"
            case "interrupted":
                again = "; it goes on" if is_retried else ""
                return f"interrupted {name}  {outcome.reason.removeprefix('interrupted ')}{again}"
            case "failed":
                again = "; trying again" if is_retried else ""
                log = near(log_path(outcome.job.folder.path))
                return f"FAILED {name}  {outcome.reason}{again}  {log}"

    def _left(self) -> str:
        """The time left, from the jobs done so far; "" while too little is done."""
        done = self.num_ended + sum(work.share for work in self._at_work.values())
        if done < 0.02 * self.num_jobs:
            return ""
        elapsed = time.monotonic() - self._begun
        return f"{duration(elapsed / done * (self.num_jobs - done))} left"


class LiveView(LineView):
    """A progress bar with the time left, and a line for each slot; ended jobs scroll above."""

    def __init__(
        self, console: Console, num_jobs: int, num_slots: int, expected_s: float, *, metric: str
    ) -> None:
        super().__init__(console, num_jobs, metric=metric)
        self._num_slots, self._expected_s = num_slots, expected_s
        self._bar = Bar(
            TextColumn("runs"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            expand=True,
        )
        self._id = self._bar.add_task("", total=num_jobs, left="")
        self.live = Live(
            console=console, get_renderable=self._render, refresh_per_second=4, transient=True
        )

    def event(self, job: PoolJob, event: Any) -> None:
        if job.name in self._at_work:
            self._at_work[job.name].hear(event)

    def _left(self) -> str:
        left = super()._left()
        if left or not self._expected_s > 0:  # NaN if unknown
            return left
        return f"{duration(self._expected_s)} expected"

    def _render(self) -> Constrain:
        self._bar.update(self._id, completed=self.num_ended, total=self.num_jobs, left=self._left())
        table = Table.grid(padding=(0, 2), expand=True)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        for _ in range(3):
            table.add_column(justify="right", no_wrap=True)
        # copied, because this runs in the thread of the display
        works: dict[int, list[_Work]] = {}
        for work in list(self._at_work.values()):
            works.setdefault(work.slot, []).append(work)
        for slot in range(self._num_slots):
            of_slot = works.get(slot, [])
            words = of_slot[0].words() if of_slot else ["-", "", "", ""]
            words[0] += f" and {len(of_slot) - 1} more" if len(of_slot) > 1 else ""  # a stack
            table.add_row(*(Text(word) for word in words))
        status = [Text(self.status, overflow="ellipsis", no_wrap=True)] if self.status else []
        # The terminal writes ^C behind the last line, which must not become another line
        width = max(1, self.console.width - _ROOM_FOR_KEYS)
        return Constrain(Group(self._bar, table, *status), width)


class _Work:
    """The latest progress of a job."""

    def __init__(self, name: str, slot: int) -> None:
        self.name, self.slot = name, slot
        self.share = 0.0
        self._started: Started | None = None
        self._at = time.monotonic()
        self._epoch, self._reached, self._rate = 0.0, "", ""

    def hear(self, event: Any) -> None:
        if isinstance(event, Started):
            self._started, self._at = event, time.monotonic()
        elif isinstance(event, Progress) and self._started is not None:
            self._epoch, self.share = event.epoch, event.step / self._started.num_steps
            num_steps = event.step - self._started.first_step
            self._rate = f"{num_steps / max(time.monotonic() - self._at, 1e-3):.0f} steps/s"
        elif isinstance(event, dict):
            judged = BY_ACCURACY if self._started is None else self._started.judged
            names = (f"{part}/{judged['main']}" for part in ("valid", "monitor"))
            name = next((n for n in names if n in event), None)
            self._reached = value_text(name, event[name], judged) if name else ""

    def words(self) -> list[str]:
        """Name, place, metric, rate."""
        if self._started is None:
            return [self.name, "starting", "", ""]
        epochs = self._started.num_epochs
        end = f"{epochs:.0f}" if epochs == int(epochs) else f"{epochs:.2f}"
        place = f"epoch {self._epoch:.2f}/{end}"
        return [self.name, place, self._reached, self._rate]
