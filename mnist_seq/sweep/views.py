"""Who watches a pool: the ledger, plain lines, a live view on a terminal."""

import time
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from mnist_seq.runs.events import Progress, Started
from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.sweep.pool import Outcome, PoolJob, log_path
from mnist_seq.sweep.times import duration


class LedgerView:
    """Writes every change of state into the sweep's ledger."""

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
        if is_retried:
            self.folder.note("retried", outcome.job.name, attempt=outcome.job.attempt + 1)

    def stopping(self, reason: str) -> None: ...


class LineView:
    """One line an event, for logs and pipes."""

    def __init__(self, console: Console, num_jobs: int) -> None:
        self.console, self.num_jobs, self.num_ended = console, num_jobs, 0

    def started(self, job: PoolJob, slot: int) -> None: ...

    def event(self, job: PoolJob, event: Any) -> None: ...

    def ended(self, outcome: Outcome, *, is_retried: bool) -> None:
        self.num_ended += not is_retried
        self.say(f"[{self.num_ended}/{self.num_jobs}] {ending(outcome, is_retried=is_retried)}")

    def stopping(self, reason: str) -> None:
        self.say(f"stopping: {reason}; running jobs save their checkpoints")

    def say(self, text: str) -> None:
        """Print plain text."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)


class LiveView(LineView):
    """An overall bar with the time left and a line a slot; endings scroll by above."""

    def __init__(self, console: Console, num_jobs: int, num_slots: int, expected_s: float) -> None:
        super().__init__(console, num_jobs)
        self._slots: list[_Slot | None] = [None] * num_slots
        self._by_name: dict[str, int] = {}
        self._begun = time.monotonic()
        self._expected_s = expected_s
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

    def started(self, job: PoolJob, slot: int) -> None:
        self._slots[slot] = _Slot(job.name)
        self._by_name[job.name] = slot

    def event(self, job: PoolJob, event: Any) -> None:
        slot = self._slots[self._by_name[job.name]]
        if slot is not None:
            slot.hear(event)

    def ended(self, outcome: Outcome, *, is_retried: bool) -> None:
        self._slots[self._by_name[outcome.job.name]] = None
        super().ended(outcome, is_retried=is_retried)
        self._bar.update(self._id, completed=self.num_ended)

    def _render(self) -> Group:
        shares = [slot.share for slot in self._slots if slot is not None]
        done = self.num_ended + sum(shares)
        elapsed = time.monotonic() - self._begun
        left = ""
        if done > 0.02 * self.num_jobs:
            left = f"{duration(elapsed / done * (self.num_jobs - done))} left"
        self._bar.update(self._id, left=left)
        table = Table.grid(padding=(0, 2), expand=True)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        for _ in range(3):
            table.add_column(justify="right", no_wrap=True)
        for slot in self._slots:
            table.add_row(*(slot.cells() if slot is not None else [Text("-")]))
        return Group(self._bar, table)


class _Slot:
    """What a slot's job has said so far."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.share = 0.0
        self._started: Started | None = None
        self._at = time.monotonic()
        self._step, self._epoch, self._accuracy = 0, 0.0, ""

    def hear(self, event: Any) -> None:
        if isinstance(event, Started):
            self._started, self._at, self._step = event, time.monotonic(), event.first_step
        elif isinstance(event, Progress):
            self._step, self._epoch = event.step, event.epoch
        elif isinstance(event, dict):
            name = next((n for n in ("valid/accuracy", "monitor/accuracy") if n in event), None)
            self._accuracy = f"{100 * event[name]:.2f} %" if name else ""
        if self._started is not None:
            self.share = self._step / self._started.num_steps

    def cells(self) -> list[Text]:
        if self._started is None:
            return [Text(self.name), Text("starting"), Text(""), Text("")]
        rate = (self._step - self._started.first_step) / max(time.monotonic() - self._at, 1e-3)
        epoch = f"epoch {self._epoch:.2f}/{self._started.num_epochs}"
        return [Text(self.name), Text(epoch), Text(self._accuracy), Text(f"{rate:.0f} steps/s")]


def ending(outcome: Outcome, *, is_retried: bool) -> str:
    """One line for the end of a job."""
    name = outcome.job.name
    match outcome.state:
        case "finished":
            metrics = outcome.job.folder.result()["metrics"]
            accuracy = metrics.get("test/accuracy")
            reached = f"test accuracy {100 * accuracy:.2f} %" if accuracy is not None else ""
            return f"finished {name}  {reached}  {duration(outcome.seconds)}"
        case "diverged":
            return f"diverged {name}  {outcome.reason}"
        case "interrupted":
            return f"interrupted {name}  {outcome.reason}"
        case "failed":
            again = "; trying again" if is_retried else ""
            return f"FAILED {name}  {outcome.reason}{again}  {log_path(outcome.job.folder.path)}"
