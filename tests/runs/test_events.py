"""Listeners are told in their order; one that raises costs a warning and is dropped."""

import logging
from pathlib import Path

import pytest

from mnist_seq.runs.errors import Interrupted
from mnist_seq.runs.events import Ended, Listener, Progress, Row, Started, Warned, tell

STARTED = Started("a", Path("a"), 1, 10, 0, 1, "cpu")


class Heard(Listener):
    """Keeps the names of what it is told."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def started(self, event: Started) -> None:
        self.names.append("started")

    def progressed(self, event: Progress) -> None:
        self.names.append("progressed")

    def evaluated(self, row: Row) -> None:
        self.names.append("evaluated")

    def ended(self, event: Ended) -> None:
        self.names.append("ended")

    def warned(self, event: Warned) -> bool:
        self.names.append(event.text)
        return False


class Raises(Heard):
    """Raises an error when it is told of an evaluation."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def evaluated(self, row: Row) -> None:
        super().evaluated(row)
        raise self.error


def a_life(listeners: list[Listener]) -> None:
    tell(listeners, lambda listener: listener.started(STARTED))
    for step in (1, 2):
        tell(listeners, lambda listener: listener.progressed(Progress(step, 0.5, 1.0)))  # noqa: B023
        tell(listeners, lambda listener: listener.evaluated({"step": step}))  # noqa: B023
    tell(listeners, lambda listener: listener.ended(Ended("finished", 0)))


def test_one_that_raises_costs_one_warning_and_the_others_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A full disk below a tracker must not end the run, nor be told at each step."""
    first, faulty, last = Heard(), Raises(OSError("no space\nleft")), Heard()
    listeners: list[Listener] = [first, faulty, last]
    a_life(listeners)
    text = "Raises failed, and the run goes on without it: OSError: no space left"
    assert [record.getMessage() for record in caplog.records] == [text]
    assert faulty.names == ["started", "progressed", "evaluated"]
    whole = ["started", "progressed", "evaluated", text, "progressed", "evaluated", "ended"]
    assert first.names == last.names == whole
    assert listeners == [first, last]


def test_the_warning_names_the_listener_as_the_user_does(caplog: pytest.LogCaptureFixture) -> None:
    """`tracker=wandb`, not the name of a class."""
    faulty = Raises(ValueError("odd"))
    faulty.name = "tracker=mine"
    a_life([faulty])
    assert caplog.records[0].getMessage().startswith("tracker=mine failed")


def test_a_listener_may_show_the_warning_itself(caplog: pytest.LogCaptureFixture) -> None:
    """The progress lines of a run do: in a stack, the log is that of all its runs."""

    class Screen(Heard):
        def warned(self, event: Warned) -> bool:
            return True

    a_life([Screen(), Raises(ValueError("odd"))])
    assert not caplog.records


def test_a_listener_that_raises_at_a_warning_is_dropped_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each costs its one warning."""

    class Worse(Heard):
        def warned(self, event: Warned) -> bool:
            raise RuntimeError("worse")

    listeners: list[Listener] = [Worse(), Raises(ValueError("odd"))]
    a_life(listeners)
    assert len(caplog.records) == 2
    assert listeners == []


@pytest.mark.parametrize("error", [Interrupted(2), SystemExit(3), KeyboardInterrupt()])
def test_signals_and_exits_pass(error: BaseException) -> None:
    """They end the run, as they would without the listener."""
    listeners: list[Listener] = [Raises(error)]
    with pytest.raises(type(error)):
        a_life(listeners)


def test_secrets_are_in_no_warning_and_no_traceback(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packages put keys into their messages."""
    monkeypatch.setenv("WANDB_API_KEY", "0123456789abcdef")
    caplog.set_level(logging.DEBUG)
    a_life([Raises(ValueError("refused: key=0123456789abcdef"))])
    assert "key=***" in caplog.text
    assert "0123456789abcdef" not in caplog.text
