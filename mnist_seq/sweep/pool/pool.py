"""Runs jobs on this machine, several at once, each in a new process.

One process for each job isolates them: no random state, thread count, default dtype, logger or W&B
run can pass from one job to the next, and a crash ends one job only. On Linux a process starts in
about 10 ms, because the fork server has imported torch and this package; elsewhere (`spawn`) it
imports them itself, which takes seconds.

Why not a library: `concurrent.futures` and loky break the whole pool when one worker dies. pebble
survives that, but ends a late task with SIGKILL, so it cannot save its checkpoint, and it has no
channel for progress. Without them the pool is a loop over `multiprocessing.connection.wait`.
"""

import contextlib
import functools
import logging
import signal
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mnist_seq import system
from mnist_seq.config import members
from mnist_seq.runs import stop_signals
from mnist_seq.runs.provenance import AT_ONCE
from mnist_seq.sweep.pool import starts, worker
from mnist_seq.sweep.pool.failures import signature
from mnist_seq.sweep.pool.jobs import Full, Outcome, Policy, PoolJob, Refused, Running, View
from mnist_seq.sweep.pool.process import JobProcess

__all__ = ["Outcome", "Policy", "Pool", "PoolJob", "View", "log_path"]

TICK_S = 0.25  # seconds until a signal or a timeout is noticed
# `timeout` and closed terminals send a signal twice at once, to the command and to its group
TWICE_S = 1.0
FULL_S = 10.0  # pause after an engine had no room for a job
HURRY_S = 5.0  # grace time after a second Ctrl-C

log = logging.getLogger(__name__)


class Pool:
    """A queue of jobs and the processes that work on it.

    Args:
        slots: environment of each slot; one job runs in each slot.

    Attributes:
        stop_reason: why it was stopped early, or "".
        stop_signal: the signal that stopped it, or 0.
    """

    def __init__(
        self,
        *,
        slots: Sequence[dict[str, str]],
        policy: Policy,
        views: Sequence[View],
    ) -> None:
        self.slots = [{**slot, AT_ONCE: str(len(slots))} for slot in slots]
        self.policy, self.views = policy, list(views)
        self.stop_reason, self.stop_signal = "", 0
        self._presses, self._last_press = 0, 0.0  # of Ctrl-C, after the signal that stops the pool
        self._context = starts.context()
        self._running: list[Running] = []
        self._queue: deque[PoolJob] = deque()
        self._outcomes: list[Outcome] = []
        self._signatures: list[str] = []
        self._broken_views: set[int] = set()
        self._is_ending = False
        self._full_until = float("-inf")  # no job is started before

    def run(self, jobs: Sequence[PoolJob]) -> list[Outcome]:
        """Run all jobs, the longest first; return the outcome of each job that started."""
        known = [job.expected_s for job in jobs if job.expected_s]
        guess = statistics.fmean(known) if known else 0.0
        # a stable sort: jobs with the same expected time keep their order
        self._queue = deque(sorted(jobs, key=lambda job: -(job.expected_s or guess)))
        with self._signals_kept():
            try:
                while self._queue or self._running:
                    self._check_signal()
                    self._start_jobs()
                    ended = self._wait()
                    self._check_signal()  # it may be the reason for their end
                    for running in ended:
                        self._end(running, running.end())
                    for running in self._running:
                        running.escalate(grace_s=self.policy.grace_s)
            except KeyboardInterrupt:  # raised by our handler at the third Ctrl-C
                self.stop_reason = "interrupted three times: running jobs were ended at once"
            finally:
                self._is_ending = True
                reason = self.stop_reason or "the sweep's own process failed"
                for running in list(self._running):
                    self._end(running, running.end(reason))
        return self._outcomes

    def add(self, job: PoolJob) -> None:
        """Put a job at the end of the queue; a search adds its trials in this way."""
        if not self.stop_reason:
            self._queue.append(job)

    def stop_job(self, name: str, reason: str) -> None:
        """Ask a running job to stop; it ends as "interrupted" with this reason."""
        for running in self._running:
            if running.job.name == name:
                running.ask_to_stop(reason, grace_s=self.policy.grace_s)

    def _start_jobs(self) -> None:
        while self._queue and not self.stop_reason and len(self._running) < len(self.slots):
            if self._is_full():
                return
            slot = min(set(range(len(self.slots))) - {r.slot for r in self._running})
            self._start([self._queue.popleft()], slot)

    def _start(self, jobs: Sequence[PoolJob], slot: int) -> None:
        """Start jobs that go together, which are no longer in the queue."""
        try:
            started = self._open_together(jobs, slot)
        except Refused:
            raise
        except Full as full:
            self._queue.extendleft(reversed(jobs))
            self._full_until = time.monotonic() + FULL_S
            log.warning("%s: %s; it is tried again", jobs[0].name, full)
            return
        except Exception as error:  # engines may raise anything, and other jobs are running
            for job in jobs:
                self._not_started(job, error)
            return
        self._running += started
        for running in started:
            self._note_start(running)

    def _is_full(self) -> bool:
        return time.monotonic() < self._full_until

    def _note_start(self, running: Running) -> None:
        self._tell(lambda view: view.started(running.job, running.slot))

    def _not_started(self, job: PoolJob, error: Exception) -> None:
        text = " ".join(str(error).split())
        reason = f"it could not be started: {type(error).__name__}: {text}"
        self._judge(Outcome(job, "failed", reason, 0.0))

    def _open_together(self, jobs: Sequence[PoolJob], slot: int) -> Sequence[Running]:
        return [self._open(job, slot) for job in jobs]

    def _open(self, job: PoolJob, slot: int) -> Running:
        return JobProcess(
            self._context,
            job,
            slot=slot,
            env={**self.slots[slot], **members.environment()},
            timeout_s=self.policy.timeout_s,
        )

    def _wait(self) -> Sequence[Running]:
        """Pass events on until a job has ended, `TICK_S` has passed, or a signal has come."""
        processes = [r for r in self._running if isinstance(r, JobProcess)]
        sentinels = {p.sentinel: p for p in processes}
        connections = [p.connection for p in processes if not p.connection.closed]
        ready = system.wait([*sentinels, *connections], timeout_s=TICK_S)
        self._pass_on_events()
        return [sentinels[item] for item in ready if isinstance(item, int)]

    def _pass_on_events(self) -> None:
        for running in self._running:
            for event in running.events():
                self._tell(functools.partial(_event, running.job, event))

    def _end(self, running: Running, outcome: Outcome) -> None:
        self._running.remove(running)
        self._judge(outcome)

    def _judge(self, outcome: Outcome) -> None:
        """Report the end of a job, and decide on a retry or a stop."""
        job = outcome.job
        is_failed, is_stopped = outcome.state == "failed", bool(self.stop_reason)
        is_retried = is_failed and job.attempt < self.policy.retries and not is_stopped
        if outcome.is_stopped and not is_stopped:
            outcome = self._counted(outcome)
            job, is_retried = outcome.job, outcome.is_stopped
        self._tell(lambda view: view.ended(outcome, is_retried=is_retried))
        if is_retried and not is_failed:
            self._queue.appendleft(job)
            return
        if is_retried:
            self._queue.appendleft(replace(job, attempt=job.attempt + 1))
            return
        self._outcomes.append(outcome)
        if is_failed and not is_stopped:
            self._consider_stopping(outcome)

    def _counted(self, outcome: Outcome) -> Outcome:
        """Count a stop by the scheduler; after too many in a row the job is not submitted again."""
        num = 1 if outcome.is_further else outcome.job.num_stops + 1
        outcome = replace(outcome, job=replace(outcome.job, num_stops=num))
        most = self.policy.resubmits
        if num <= most:
            return outcome
        reason = outcome.reason
        if most:
            reason += f", {num} times in a row without a new checkpoint (hydra.launcher.resubmit)"
        return replace(outcome, reason=reason, is_stopped=False)

    def _consider_stopping(self, outcome: Outcome) -> None:
        if self.policy.on_failure == "stop":
            self._stop(f"{outcome.job.name} failed, and sweep.on_failure=stop")
            return
        same = self.policy.stop_after_same_failures
        if not same or any(o.state in ("finished", "diverged") for o in self._outcomes):
            return
        self._signatures.append(signature(outcome.job.folder) or outcome.reason)
        if len(self._signatures) == same and len(set(self._signatures)) == 1:
            self._stop(
                f"the first {same} runs failed alike ({outcome.reason}); "
                "sweep.stop_after_same_failures=0 goes on all the same"
            )

    def _stop(self, reason: str) -> None:
        """Start no more jobs, and ask the running ones to stop."""
        self.stop_reason = reason
        self._queue.clear()
        if self._running:
            self._tell(lambda view: view.stopping(reason))
        for running in self._running:
            running.ask_to_stop(reason, grace_s=self.policy.grace_s)

    def _check_signal(self) -> None:
        if self.stop_signal and not self.stop_reason:
            self._stop(f"interrupted by {stop_signals.name_of(self.stop_signal)}")
        if self._presses:
            for running in self._running:
                running.hurry(grace_s=HURRY_S)

    @contextlib.contextmanager
    def _signals_kept(self) -> Iterator[None]:
        def note(signum: int, frame: object) -> None:
            now, is_first = time.monotonic(), not self.stop_signal
            self.stop_signal = self.stop_signal or signum
            is_again = signum == signal.SIGINT and now - self._last_press > TWICE_S
            if is_first or is_again:
                self._last_press = now
            if not is_first and is_again:
                self._presses += 1
                if self._presses > 1 and not self._is_ending:
                    self._is_ending = True
                    raise KeyboardInterrupt

        before = stop_signals.install(note)
        if lost := stop_signals.taken():
            note(lost, None)
        try:
            yield
        finally:
            stop_signals.restore(before, is_stopped=bool(self.stop_signal))

    def _tell(self, call: Callable[[View], None]) -> None:
        """Tell all views. A closed terminal or a full disk does not stop the runs."""
        for view in self.views:
            try:
                call(view)
            except OSError as error:
                if id(view) not in self._broken_views:
                    self._broken_views.add(id(view))
                    log.warning("%s goes on without a word: %s", type(view).__name__, error)


def _event(job: PoolJob, event: Any, view: View) -> None:
    view.event(job, event)


def log_path(folder: Path) -> Path:
    """Path of the log with the output of a job; its folder where it came to write none."""
    log = folder / worker.LOG
    return log if log.exists() else folder
