"""A pool whose engine works through several runs in one job; otherwise it is `RemotePool`."""

import math
from collections.abc import Iterable, Sequence

from mnist_seq.sweep.pool.jobs import Policy, PoolJob, View
from mnist_seq.sweep.pool.remote import RemoteJob, RemotePool
from mnist_seq.sweep.slurm.engine import SlurmEngine
from mnist_seq.sweep.slurm.handle import SlurmHandle
from mnist_seq.sweep.stack.sizes import sizes

WORTH_S = 600.0  # seconds of work beside which the start of a job, 10 s, is little


def auto_size(expected_s: float, at_once: int) -> int:
    """Runs in a job, so that its cores are busy for `WORTH_S`.

    Args:
        expected_s: of one run; NaN if unknown: then one for each core, or a stack.
        at_once: runs at once in a job.
    """
    if math.isnan(expected_s) or expected_s <= 0:
        return at_once
    return at_once * max(1, math.ceil(WORTH_S / expected_s))


class PackedPool(RemotePool):
    """Gives its jobs to Slurm in packs.

    Args:
        size: most runs in one job of Slurm.
        num_jobs: number of runs that it will get first.
    """

    def __init__(
        self,
        engine: SlurmEngine,
        *,
        policy: Policy,
        views: Sequence[View],
        size: int,
        num_jobs: int,
    ) -> None:
        super().__init__(engine, policy=policy, views=views, is_queue=True)
        self._slurm, self._size, self._most = engine, size, len(self.slots)
        num = max(self._most, min(self._most * size, num_jobs))
        self.slots = [self.slots[0] for _ in range(num)]

    def submit(self, jobs: Sequence[PoolJob]) -> tuple[list[str], list[str]]:
        """See `RemotePool.submit`."""
        try:
            calls = [self._call(job, 0) for job in by_shape(jobs)]
            return self._slurm.start_all(calls, self._size)
        finally:
            self._engine.close()

    def _start_jobs(self) -> None:
        while self._queue and not self.stop_reason:
            room = len(self.slots) - len(self._running)
            if room < 1 or len(self._jobs_of_slurm()) >= self._most or self._is_full():
                return
            group = by_shape(self._queue)[: min(sizes(len(self._queue), self._size)[0], room)]
            for job in group:
                self._queue.remove(job)
            self._start(group, 0)

    def _jobs_of_slurm(self) -> set[str]:
        handles = [r.handle for r in self._running if isinstance(r, RemoteJob)]
        return {handle.job for handle in handles if isinstance(handle, SlurmHandle)}

    def _open_together(self, jobs: Sequence[PoolJob], slot: int) -> Sequence[RemoteJob]:
        handles = self._slurm.start_pack([self._call(job, 0) for job in jobs])
        taken = {running.slot for running in self._running}
        free = [slot for slot in range(len(self.slots)) if slot not in taken]
        return [
            RemoteJob(job, handle, slot=slot, timeout_s=self.policy.timeout_s, is_queued=True)
            for job, handle, slot in zip(jobs, handles, free, strict=False)
        ]


def by_shape(jobs: Iterable[PoolJob]) -> list[PoolJob]:
    """Jobs of one shape one after the other, in the order of the first of each shape."""
    jobs = list(jobs)
    places = {job.shape: i for i, job in reversed(list(enumerate(jobs)))}
    return sorted(jobs, key=lambda job: places[job.shape])
