"""Shows the progress of one run: a bar on a terminal, a few plain lines elsewhere."""

import time

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.progress import Task as BarTask
from rich.text import Text

from mnist_seq.runs.console import near, say
from mnist_seq.runs.events import (
    BY_ACCURACY,
    Ended,
    Judged,
    Listener,
    Progress,
    Row,
    Samples,
    Started,
    Warned,
    value_text,
)

LINE_EVERY_S = 30.0  # seconds between two lines without an evaluation, without a terminal


def open_progress(console: Console) -> Listener:
    """A bar where the console is a terminal, else plain lines."""
    return BarProgress(console) if console.is_terminal else LineProgress(console)


class LineProgress(Listener):
    """One line for each evaluation, and one each half minute between them."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._event: Started | None = None
        self._said = time.monotonic()

    def started(self, event: Started) -> None:
        self._event = event
        self._said = time.monotonic()
        resumed = f", resumed at step {event.first_step}" if event.first_step else ""
        self.say(
            f"{event.name}: {event.num_params:,} parameters, {event.num_steps:,} steps on "
            f"{event.device}{resumed}"
        )

    def progressed(self, event: Progress) -> None:
        if time.monotonic() - self._said > LINE_EVERY_S:
            self.say(f"{self._position(event.step, event.epoch)}  train/loss {event.loss:.4f}")

    def evaluated(self, row: Row) -> None:
        self.say(
            f"{self._position(int(row['step']), row['epoch'])}  {metrics_text(row, self._judged)}"
        )

    def ended(self, event: Ended) -> None:
        if event.samples is not None:
            self.say(samples_text(event.samples))
        if self._event is not None and event.state in ("finished", "diverged"):
            self.say(ending_text(self._event, event))

    @property
    def _judged(self) -> Judged:
        return BY_ACCURACY if self._event is None else self._event.judged

    def warned(self, event: Warned) -> bool:
        self.say(event.text)
        return True

    def say(self, text: str) -> None:
        """Print plain text: brackets in names are not markup."""
        self._said = time.monotonic()
        say(self.console, text)

    def _position(self, step: int, epoch: float) -> str:
        num_steps = self._event.num_steps if self._event else step
        return f"epoch {epoch:.2f}  step {step:>{len(str(num_steps))}}/{num_steps}"


class BarProgress(LineProgress):
    """The same lines above a live bar with step rate, loss, accuracy and time left."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._bar = Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            _Rate(),
            TextColumn("{task.fields[status]}", markup=False),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
        )
        self._id = self._bar.add_task("", total=1, status="")
        self._reached = ""

    def started(self, event: Started) -> None:
        super().started(event)
        self._bar.update(self._id, description=event.name, total=event.num_steps)
        self._bar.update(self._id, completed=event.first_step)
        self._bar.start()

    def progressed(self, event: Progress) -> None:
        status = f"loss {event.loss:.3f}{self._reached}"
        self._bar.update(self._id, completed=event.step, status=status)

    def evaluated(self, row: Row) -> None:
        super().evaluated(row)
        main = self._judged["main"]
        for name in (f"valid/{main}", f"monitor/{main}"):
            if name in row:
                short = "acc" if main == "accuracy" else main
                self._reached = f"  {short} {value_text(name, row[name], self._judged)}"

    def ended(self, event: Ended) -> None:
        self._bar.stop()
        super().ended(event)


class _Rate(ProgressColumn):
    """Steps a second."""

    def render(self, task: BarTask) -> Text:
        return Text(f"{task.speed:.0f} steps/s" if task.speed else "")


_SHOWN = ("train/", "train_eval/", "valid/", "test/", "monitor/")


def metrics_text(row: Row, judged: Judged = BY_ACCURACY) -> str:
    """Metrics of a row with their units, without the diagnostics."""
    shown = (item for item in row.items() if item[0].startswith(_SHOWN))
    return "  ".join(f"{name} {value_text(name, value, judged)}" for name, value in shown)


def samples_text(samples: Samples) -> str:
    """Two lines: predictions for the first test images, and their labels."""
    said = " ".join(str(int(p)) for p in samples.predictions)
    real = " ".join(str(int(label)) for label in samples.labels)
    return f"first test images, predicted: {said}\n                        real: {real}"


def ending_text(started: Started, ended: Ended) -> str:
    """The last line: the result, and the folder."""
    if ended.state == "diverged":
        return f"diverged: {ended.reason}; {near(started.folder)}"
    main = started.judged["main"]
    value = ended.metrics.get(f"test/{main}", float("nan"))
    return (
        f"test {main} {value_text(main, value, started.judged)}  "
        f"({started.num_params:,} parameters, {ended.seconds:.1f} s)  {near(started.folder)}"
    )
