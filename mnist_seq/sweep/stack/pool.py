"""A pool whose processes train several jobs each, as a stack; otherwise it is `Pool`."""

from collections.abc import Callable, Sequence

from mnist_seq import system
from mnist_seq.config import members
from mnist_seq.runs.text import plural
from mnist_seq.sweep.pool.jobs import Outcome, Policy, PoolJob, Running, View
from mnist_seq.sweep.pool.pool import TICK_S, Pool
from mnist_seq.sweep.pool.process import JOIN_S, JobProcess
from mnist_seq.sweep.stack.process import StackedJob, StackProcess
from mnist_seq.sweep.stack.sizes import most_runs, sizes


class StackPool(Pool):
    """Trains jobs of equal shape as stacks.

    Args:
        max_runs: largest stack, or "auto": the number that is fastest and fits into memory, by a
            measured step.
        say: called with a line if stacks must become smaller.
    """

    def __init__(
        self,
        *,
        slots: Sequence[dict[str, str]],
        policy: Policy,
        views: Sequence[View],
        max_runs: int | str,
        say: Callable[[str], None],
    ) -> None:
        super().__init__(slots=slots, policy=policy, views=views)
        self._max_runs, self._say = max_runs, say
        self._most: dict[str, float] = {}  # shape -> largest number of runs
        self._processes: list[StackProcess | JobProcess] = []
        self._is_told = False  # whether the current fault was counted before

    def run(self, jobs: Sequence[PoolJob]) -> list[Outcome]:
        """Run all jobs; see `Pool.run`."""
        shapes = [job.shape for job in jobs]
        self._most = most_runs(shapes, self.slots, max_runs=self._max_runs)
        try:
            return super().run(jobs)
        finally:
            for process in self._processes:  # all their jobs are reported
                if isinstance(process, StackProcess) and not process.is_cleared:
                    process.wait(JOIN_S)
                    process.end()

    def add(self, job: PoolJob) -> None:
        """Put a job at the end of the queue; its shape may be new."""
        if job.shape not in self._most:
            self._most |= most_runs([job.shape], self.slots[:1], max_runs=self._max_runs)
        super().add(job)

    def _start_jobs(self) -> None:
        while self._queue and not self.stop_reason:
            taken = {process.slot for process in self._processes}
            free = set(range(len(self.slots))) - taken
            if not free:
                return
            self._start(self._next_group(), min(free))

    def _next_group(self) -> list[PoolJob]:
        """The first job, and the jobs of its shape that fit into its stack."""
        shape = self._queue[0].shape
        if not shape:
            return [self._queue.popleft()]
        alike = [job for job in self._queue if job.shape == shape]
        group = alike[: sizes(len(alike), self._most[shape])[0]]
        for job in group:
            self._queue.remove(job)
        return group

    def _open_together(self, jobs: Sequence[PoolJob], slot: int) -> Sequence[Running]:
        if len(jobs) == 1:
            alone = self._open_alone(jobs[0], slot)
            self._processes.append(alone)
            return [alone]
        stack = self._open_stack(jobs, slot)
        self._processes.append(stack)
        return stack.jobs

    def _open_alone(self, job: PoolJob, slot: int) -> JobProcess:
        running = self._open(job, slot)
        assert isinstance(running, JobProcess)
        return running

    def _open_stack(self, group: Sequence[PoolJob], slot: int) -> StackProcess:
        return StackProcess(
            self._context,
            group,
            slot=slot,
            env={**self.slots[slot], **members.environment()},
            share=1 / self.slots.count(self.slots[slot]) if self._max_runs == "auto" else 0.0,
            timeout_s=self.policy.timeout_s,
        )

    def _wait(self) -> Sequence[Running]:
        sentinels = {process.sentinel: process for process in self._processes}
        connections = [p.connection for p in self._processes if not p.connection.closed]
        ready = system.wait([*sentinels, *connections], timeout_s=TICK_S)
        dead = [sentinels[item] for item in ready if isinstance(item, int)]
        for process in self._processes:
            if isinstance(process, StackProcess):
                process.hear()
        self._pass_on_events()
        ended = [r for r in self._running if _has_ended(r, dead)]
        for process in dead:
            self._processes.remove(process)
        return ended

    def _consider_stopping(self, outcome: Outcome) -> None:
        if not self._is_told:  # one dead process is one fault, however many jobs it had
            super()._consider_stopping(outcome)

    def _end(self, running: Running, outcome: Outcome) -> None:
        if not isinstance(running, StackedJob):
            super()._end(running, outcome)
            return
        process = running.process
        is_too_large = bool(process.most) and not self.stop_reason
        if is_too_large and outcome.state == "interrupted":
            self._running.remove(running)
            self._tell(lambda view: view.ended(outcome, is_retried=True))
            self._lower(outcome, process)
            self._queue.appendleft(outcome.job)
            return
        if process.fault or not running.is_over:
            self._is_told, process.is_told = process.is_told, True
        super()._end(running, outcome)
        self._is_told = False

    def _lower(self, outcome: Outcome, process: StackProcess) -> None:
        """Lower the limit for stacks of this shape, and say so once."""
        shape, most = outcome.job.shape, process.most
        if most < self._most[shape]:
            self._most[shape] = most
            how = f"in stacks of {most} or fewer" if most > 1 else "alone"
            self._say(f"{outcome.reason}: {plural(len(process.jobs), 'run')} go on {how}")


def _has_ended(running: Running, dead: Sequence[StackProcess | JobProcess]) -> bool:
    if isinstance(running, StackedJob):
        return running.is_over or running.process in dead
    return running in dead
