"""Runs calls as jobs of Slurm, which outlive the command and are found again by the next one."""

import contextlib
import io
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from mnist_seq.runs.console import say
from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.runs.text import plural
from mnist_seq.sweep.pool.answer import AnswerFile
from mnist_seq.sweep.pool.call import Call
from mnist_seq.sweep.pool.jobs import Full, Refused
from mnist_seq.sweep.pool.opening import Opening
from mnist_seq.sweep.slurm.handle import SharedJob, SlurmHandle
from mnist_seq.sweep.slurm.pack import Pack
from mnist_seq.sweep.slurm.queue import LIVE, Orders, Queue, states_now
from mnist_seq.sweep.slurm.submission import executor_of, in_a_line, seconds_until_signal
from mnist_seq.sweep.stack.sizes import sizes

# of sbatch: too many jobs of this user at once, or a controller that is busy or restarting
_LATER = re.compile(r"MaxSubmit|[Uu]nable to contact|[Tt]imed out|temporar")

ARRAY = 1000  # most tasks of an array; Slurm's default for MaxArraySize is 1001


class SlurmEngine:
    """Runs calls as jobs of Slurm.

    Args:
        folder: where submitit keeps its own files.
        parameters: of submitit's `Executor.update_parameters`, such as `timeout_min`.
        python: command that starts Python in a job; "" is this process's own.
        poll_s: seconds between two questions to Slurm.
        pack: makes one job of several calls.

    Raises:
        ConfigError: this machine has no Slurm, or it refuses such jobs.
    """

    def __init__(
        self,
        opening: Opening,
        folder: Path,
        *,
        parameters: Mapping[str, Any],
        python: str,
        poll_s: float,
        pack: Callable[[tuple[Call, ...]], Pack],
    ) -> None:
        self.slots: list[dict[str, str]] = [{} for _ in opening.slots]  # Slurm assigns devices
        self._sweep, self._folder = opening.folder, folder
        name = opening.folder.path.name
        self._executor = executor_of(folder, parameters, name=name, python=python)
        self._queue, self._orders = Queue(poll_s=poll_s), Orders()
        self._has_submitted, self._limit_s = False, seconds_until_signal(parameters)
        self._pack = pack
        self._shared: dict[str, SharedJob] = {}
        self._earlier = _jobs_of_earlier_commands(opening.folder, opening.console)

    def start(self, call: Call, slot: int) -> SlurmHandle:
        """Submit a call, or attach to the job of an earlier command that trains this run.

        Raises:
            Refused: sbatch refuses the first job, and so it would all.
            Full: it may take the job later.
            RuntimeError: sbatch refuses this one.
        """
        return self.start_pack([call])[0]

    def start_pack(self, calls: Sequence[Call]) -> list[SlurmHandle]:
        """Submit calls as one job, without those that a job of an earlier command trains.

        Raises:
            As `start`.
        """
        earlier = {call.id: row for call in calls if (row := self._take_earlier(call))}
        todo, job = [call for call in calls if call.id not in earlier], ""
        if todo:
            try:
                with _quiet():
                    job = self._executor.submit(self._packed(todo)).job_id
            except Exception as error:  # submitit's own, with what sbatch has printed
                raise self._refusal(in_a_line(str(error))) from None
            self._has_submitted = True
            self._note(todo, job)
        handles = []
        for call in calls:
            row = earlier.get(call.id) or {"job": job, "call": call.id, "runs": len(todo)}
            answer = AnswerFile(Path(call.lock), str(row["call"]))
            handles.append(self._handle(str(row["job"]), answer, is_shared=_is_shared(row)))
        return handles

    def start_all(self, calls: Sequence[Call], size: int = 1) -> tuple[list[str], list[str]]:
        """Submit calls as job arrays, each without the runs whose jobs are in the queue already.

        Args:
            size: most calls of one job.

        Returns:
            Ids of the new jobs, and of those that were there, one for each call.

        Raises:
            ConfigError: sbatch refuses an array; those before it are submitted.
        """
        earlier, todo = list[str](), list[Call]()
        for call in calls:
            if row := self._take_earlier(call, is_over_left_out=True):
                earlier.append(str(row["job"]))
            else:
                todo.append(call)
        packs, new = parts(todo, size), list[str]()
        self._executor.update_parameters(slurm_array_parallelism=len(self.slots))
        for part in (packs[i : i + ARRAY] for i in range(0, len(packs), ARRAY)):
            try:
                with _quiet(), self._executor.batch():
                    jobs = [self._executor.submit(self._packed(pack)) for pack in part]
                ids = [job.job_id for job in jobs]
            except Exception as error:  # submitit's own, with what sbatch has printed
                before = f"{plural(len(new), 'run')} before: submitted; " if new else ""
                raise Refused(
                    f"Slurm must take the jobs of a sweep, and sbatch says: "
                    f"{in_a_line(str(error))}; {before}see hydra.launcher.parameters"
                ) from None
            for pack, job in zip(part, ids, strict=True):
                self._note(pack, job)
                new += [job] * len(pack)
        return new, earlier

    def _take_earlier(self, call: Call, *, is_over_left_out: bool = False) -> dict[str, Any] | None:
        """The ledger's row on the job of an earlier command that trains this run, if one does.

        Args:
            is_over_left_out: whether a run that has ended in a job with others does not count.
        """
        row = self._earlier.pop(Path(call.folder).name, None)
        if row is None:
            return None
        answer = AnswerFile(Path(call.lock), str(row["call"]))
        said = answer.read()
        if is_over_left_out and _is_shared(row) and said is not None and said.is_over:
            return None
        if row["identity"] == call.identity:
            return row
        if _is_shared(row):  # it would train another config there
            answer.order("stop")
        else:
            self._orders.give("scancel", str(row["job"]))
        return None

    def _packed(self, calls: Sequence[Call]) -> Call | Pack:
        return calls[0] if len(calls) == 1 else self._pack(tuple(calls))

    def _note(self, calls: Sequence[Call], job: str) -> None:
        for call in calls:
            facts = {"runs": len(calls)} if len(calls) > 1 else {}
            run = Path(call.folder).name
            self._sweep.note(
                "submitted", run, job=job, call=call.id, identity=call.identity, **facts
            )

    def _refusal(self, said: str) -> Exception:
        if _LATER.search(said):
            return Full(f"sbatch says: {said}")
        if not self._has_submitted:
            return Refused(
                f"Slurm must take the jobs of a sweep, and sbatch says: {said}; see "
                "hydra.launcher.parameters"
            )
        return RuntimeError(f"sbatch says: {said}")

    def close(self) -> None:
        """End the questions and orders that are under way; jobs stay."""
        self._orders.close()
        self._queue.forget()

    def _handle(self, job: str, answer: AnswerFile, *, is_shared: bool) -> SlurmHandle:
        stderr = self._folder / f"{job}_0_log.err"
        return SlurmHandle(
            job,
            answer,
            queue=self._queue,
            orders=self._orders,
            stderr=stderr,
            limit_s=self._limit_s,
            shared=self._shared.setdefault(job, SharedJob()) if is_shared else None,
        )


def _quiet() -> contextlib.redirect_stderr[io.StringIO]:
    """Keeps to itself what sbatch prints, which submitit passes on and puts in its errors too."""
    return contextlib.redirect_stderr(io.StringIO())


def parts(calls: Sequence[Call], size: int) -> list[Sequence[Call]]:
    """Calls in parts of nearly equal size, for one job each."""
    found, start = list[Sequence[Call]](), 0
    for num in sizes(len(calls), size) if calls else ():
        found.append(calls[start : start + num])
        start += num
    return found


def _is_shared(row: Mapping[str, Any]) -> bool:
    return bool(row.get("runs", 1) != 1)


def _jobs_of_earlier_commands(sweep: SweepFolder, console: Console) -> dict[str, dict[str, Any]]:
    """Jobs in Slurm's queue that an earlier command of this sweep has left there, by run."""
    last: dict[str, dict[str, Any]] = {}
    for row in sweep.ledger():
        run, change = str(row.get("run")), row.get("change")
        if change == "submitted" and {"job", "call", "identity"} <= row.keys():
            last[run] = row
        elif change in ("finished", "failed", "diverged", "interrupted"):
            last.pop(run, None)
    states = states_now() if last else {}
    left = {run: row for run, row in last.items() if states.get(str(row["job"])) in LIVE}
    if left:
        num = len({row["job"] for row in left.values()})
        are = "is" if num == 1 else "are"
        say(console, f"{plural(num, 'job')} of an earlier command {are} still in Slurm's queue")
    return left
