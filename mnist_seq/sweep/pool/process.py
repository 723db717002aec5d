"""Starts, listens to, stops and ends the process of a job."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mnist_seq import system
from mnist_seq.sweep.pool import starts, worker
from mnist_seq.sweep.pool.failures import cause_of_death, is_stop, judged
from mnist_seq.sweep.pool.jobs import Outcome, PoolJob
from mnist_seq.sweep.pool.stopping import Stoppable

if TYPE_CHECKING:
    from mnist_seq.sweep.pool.starts import Context

NUM_STARTS, AGAIN_S = 6, 0.3  # until a fork server that was killed is known to be dead
JOIN_S = 5.0  # seconds to wait for a killed process; it may hang in the kernel


class WorkerProcess(Stoppable):
    """A new process.

    It has its own process group, and all processes that it has started end with it.

    Args:
        target: function that runs in it; gets its end of a pipe, and `args`.

    Raises:
        OSError, EOFError: the process could not be started.
    """

    def __init__(
        self,
        context: "Context",
        target: Callable[..., None],
        args: tuple[Any, ...],
        *,
        name: str,
        timeout_s: float,
    ) -> None:
        for num_left in reversed(range(NUM_STARTS)):
            try:
                self._start(context, target, args, name)
                break
            except (OSError, EOFError):  # the fork server was dying, and took the request along
                if not num_left:
                    raise
                time.sleep(AGAIN_S)
        self._pid = self._process.pid
        super().__init__(timeout_s=timeout_s)

    def _start(
        self,
        context: "Context",
        target: Callable[..., None],
        args: tuple[Any, ...],
        name: str,
    ) -> None:
        self.connection, sender = context.Pipe()
        self._process = context.Process(target=target, args=(sender, *args), name=name)
        try:
            with sender, starts.without_main(), system.stop_signals_blocked():
                self._process.start()
        except (OSError, EOFError):
            self.connection.close()
            raise

    @property
    def sentinel(self) -> int:
        """Ready when the process has ended."""
        return self._process.sentinel

    def messages(self) -> Iterator[Any]:
        """Messages from the pipe since the last call."""
        if self.connection.closed:
            return
        try:
            while self.connection.poll():
                yield self.connection.recv()
        except (EOFError, OSError):
            self.connection.close()

    def _ask(self) -> None:
        try:  # no signal: Windows has none that a process can treat
            self.connection.send(worker.LEAVE)
        except OSError:  # it has closed its end, which it does not live without
            self._process.terminate()

    def kill(self) -> None:
        """Kill it and all processes that it has started."""
        assert self._pid is not None
        # its group exists once our code runs in it; processes that it started stay in the group
        system.kill_group(self._pid)
        self._process.kill()

    def note_exit(self, exit_code: int | None) -> None:
        """Record that a signal from elsewhere has stopped it, which is no failure."""
        if is_stop(exit_code):
            self.note_end(cause_of_death(exit_code))

    def wait(self, seconds: float) -> None:
        """Wait this long for it to end by itself."""
        self._process.join(seconds)

    def clear_away(self, reason: str = "") -> int | None:
        """End the process if it is still there.

        Args:
            reason: why it is ended now, if it has not ended by itself.

        Returns:
            Its exit code, or None if it hangs.
        """
        self.note_end(reason)
        if self._process.is_alive():
            self.kill()
        self._process.join(JOIN_S)
        exit_code = self._process.exitcode
        self.kill()
        self.connection.close()
        if exit_code is not None:
            self._process.close()
        return exit_code


class JobProcess(WorkerProcess):
    """A process that works on one job.

    Raises:
        OSError, EOFError: the process could not be started.
    """

    def __init__(
        self,
        context: "Context",
        job: PoolJob,
        *,
        slot: int,
        env: Mapping[str, str],
        timeout_s: float,
    ) -> None:
        self.job, self.slot = job, slot
        self._said = ""  # the reason that the job gave
        job.folder.clear_error()
        super().__init__(
            context,
            worker.run_job,
            (job.work(), str(job.folder.path), dict(env)),
            name=job.name,
            timeout_s=timeout_s,
        )

    def events(self) -> Iterator[Any]:
        """Events of the job since the last call."""
        for event in self.messages():
            if isinstance(event, tuple):
                state, self._said = event
                if state == "interrupted":  # also if the signal came from elsewhere
                    self.note_end(self._said)
            yield event

    def end(self, reason: str = "") -> Outcome:
        """End the process if it is still there, and return the outcome of the job.

        Args:
            reason: why it is ended now, if it has not ended by itself.
        """
        exit_code = self.clear_away(reason)
        self.note_exit(exit_code)
        fault = self.fault or self._said or cause_of_death(exit_code)
        state, why = judged(self.job.folder, stopped=self.stopped, fault=fault)
        return Outcome(self.job, state, why, time.monotonic() - self.started)
