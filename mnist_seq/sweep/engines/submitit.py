"""submitit: jobs in Slurm's queue, or new processes on this machine in the same way."""

import contextlib
import functools
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from mnist_seq.config import ConfigError
from mnist_seq.runs import files
from mnist_seq.sweep.engines import AutoNumber, EngineLauncher, Number, Placement
from mnist_seq.sweep.pool.call import Call
from mnist_seq.sweep.pool.opening import Opening
from mnist_seq.sweep.pool.pool import Pool
from mnist_seq.sweep.pool.remote import Engine
from mnist_seq.sweep.slurm.engine import SlurmEngine
from mnist_seq.sweep.slurm.pack import Pack
from mnist_seq.sweep.slurm.packed_pool import PackedPool, auto_size
from mnist_seq.sweep.slurm.submission import check
from mnist_seq.sweep.stack.sizes import most_on_cpu

if TYPE_CHECKING:
    import submitit


class SubmititLauncher(EngineLauncher):
    """Runs as jobs of submitit.

    Attributes:
        cluster: slurm, or local: new processes on this machine.
        parameters: of `Executor.update_parameters`, such as `timeout_min`.
        resubmit: how often in a row, without a new checkpoint, a run is submitted again that Slurm
            has stopped.
        poll: seconds between two questions to Slurm.
        python: command that starts Python in a job of Slurm; auto: this process's own.
        detach: submit all runs as arrays, and end; the same command collects them.
        runs_per_job: most runs that one job of Slurm works through; auto: as many as its cores are
            busy with for some minutes.
        stacks_on: devices on which runs of equal shape in one job of Slurm are trained as stacks.
        max_runs: of a stack; auto: as in hydra/launcher=stack.
    """

    package: ClassVar[str] = "submitit"
    extra: ClassVar[str] = "slurm"
    needs_posix: ClassVar[bool] = True

    cluster: Literal["local", "slurm"]
    slots_per_device: Number
    parameters: dict[str, Any]
    resubmit: Annotated[int, Field(ge=0)] = 3
    poll: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 15.0
    python: str = "auto"
    detach: bool = False
    runs_per_job: AutoNumber = 1
    stacks_on: Literal["nothing", "anything", "cuda"] = "nothing"
    max_runs: AutoNumber = "auto"

    @model_validator(mode="after")
    def _check_cluster(self) -> Self:
        of_slurm = {"resubmit", "poll", "python", "detach", "runs_per_job", "stacks_on", "max_runs"}
        if self.cluster == "local" and (odd := self.model_fields_set & of_slurm):
            raise ValueError(
                f"hydra.launcher.{min(odd)} is for jobs of Slurm, and hydra.launcher.cluster=local "
                "has none; leave it out"
            )
        if self.stacks_on != "nothing" and self.runs_per_job == 1:
            raise ValueError(
                f"hydra.launcher.stacks_on={self.stacks_on} trains the runs of a job together, and "
                "hydra.launcher.runs_per_job=1 gives each run a job of its own; write "
                "hydra.launcher.runs_per_job=auto or a number"
            )
        if self.stacks_on == "nothing" and self.max_runs != "auto":
            raise ValueError(
                f"hydra.launcher.max_runs={self.max_runs} is the largest stack of a job, and "
                "hydra.launcher.stacks_on=nothing makes none; write hydra.launcher.stacks_on=cuda "
                "or anything"
            )
        if self.cluster == "slurm":
            check(self.parameters)
        return self

    @property
    def placement(self) -> Placement:
        """See `Launcher`."""
        return Placement(
            workers=self.workers,
            grace_s=self.grace,
            slots_per_device=self.slots_per_device,
            stacks_on=self.stacks_on,
            max_runs=self.max_runs,
            is_here=self.cluster == "local",
            is_queue=self.cluster == "slurm",
            resubmits=self.resubmit if self.cluster == "slurm" else 0,
            is_detached=self.detach,
        )

    def open_pool(self, opening: Opening) -> Pool:
        """The pool, which gives Slurm several runs in one job if `runs_per_job` says so."""
        if self.runs_per_job == 1:
            return super().open_pool(opening)
        engine = self.open_engine(opening)
        assert isinstance(engine, SlurmEngine)
        size = self.runs_per_job
        if size == "auto":
            size = auto_size(opening.mean_s, self._at_once(opening.threads))
            if opening.is_stacking:
                size *= most_on_cpu(self.max_runs)
        num = opening.num_jobs
        return PackedPool(engine, policy=opening.policy, views=(), size=size, num_jobs=num)

    def _at_once(self, threads: int) -> int:
        """Runs at once in one job of Slurm, as far as its parameters say."""
        num = {key: self.parameters.get(key, 0) for key in ("cpus_per_task", "gpus_per_node")}
        cores, gpus = (value if isinstance(value, int) else 1 for value in num.values())
        return gpus * self.slots_per_device or max(1, cores // threads)

    def open_engine(self, opening: Opening) -> Engine:
        """The queue."""
        folder = own_folder(opening.folder.path)
        if self.cluster == "local":
            return SubmititEngine(opening.slots, folder=folder, parameters=self.parameters)
        python = "" if self.python == "auto" else self.python
        return SlurmEngine(
            opening,
            folder,
            parameters=self.parameters,
            python=python,
            poll_s=self.poll,
            pack=functools.partial(
                Pack,
                threads=opening.threads,
                per_device=self.slots_per_device,
                stacks_on=self.stacks_on,
                max_runs=self.max_runs,
            ),
        )


def own_folder(sweep: Path) -> Path:
    """The folder for submitit's own files, whose names are no secret: none may lead out of it.

    submitit itself links to a submission file beside the link.

    Raises:
        OutsideFolder: see `files.inside`.
    """
    folder = files.make_folder(sweep, ".submitit")
    for path in folder.iterdir():
        if path.resolve().parent != folder.resolve():
            files.inside(folder, path.name)
    return folder


class SubmititEngine:
    """Runs calls as submitit's processes on this machine, one for each run.

    Args:
        slots: environment of each slot; their number limits the submitted jobs, because submitit on
            one machine has no limit and would start all of them.
        folder: where submitit keeps its own files.
        parameters: of `Executor.update_parameters`, such as `timeout_min`.

    Raises:
        ConfigError: a parameter is wrong.
    """

    def __init__(
        self,
        slots: Sequence[dict[str, str]],
        *,
        folder: Path,
        parameters: Mapping[str, Any],
    ) -> None:
        import submitit

        self.slots = list(slots)
        try:
            self._executor = submitit.AutoExecutor(folder=folder, cluster="local")
            self._executor.update_parameters(**parameters)
        except Exception as error:  # NameError: an unknown parameter; AssertionError: a wrong type
            raise ConfigError(
                f"hydra/launcher=submitit_local cannot work here: "
                f"{' '.join(str(error).split())}; hydra/launcher=pool runs on this machine"
            ) from None

    def start(self, call: Call, slot: int) -> "SubmititHandle":
        """Submit a call."""
        # inherited by local jobs: they ignore Ctrl-C at the terminal, which the command handles
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            return SubmititHandle(self._executor.submit(call))
        finally:
            signal.signal(signal.SIGINT, before)

    def close(self) -> None:
        """Nothing to close."""


class SubmititHandle:
    """A submitted call."""

    def __init__(self, job: "submitit.Job[str]") -> None:
        self._job = job
        self._process: Any = getattr(job, "_process")  # noqa: B009 - of the local executor

    def is_done(self) -> bool:
        """Whether it has ended."""
        return bool(self._job.done())

    def fault(self) -> str:
        """Why there is no result, or ""."""
        if not self._job.paths.result_pickle.exists():
            return f"its process died; what submitit knows: {self._job.paths.stderr}"
        try:
            return str(self._job.result())
        except Exception as error:  # of submitit's own, or what the job has raised
            return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"

    def ask_to_stop(self) -> None:
        """Ask the job to save its checkpoint and end."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)  # passed on to the job

    def kill(self) -> None:
        """End the job."""
        if self._process.poll() is None:
            # this is submitit's process; the job is its only child
            subprocess.run(["pkill", "-KILL", "-P", str(self._process.pid)], check=False)
