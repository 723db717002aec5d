"""submitit: jobs in Slurm's queue, or new processes on this machine through the same API."""

import contextlib
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from mnist_seq.config import ConfigError
from mnist_seq.runs import files
from mnist_seq.sweep.engines import EngineLauncher, Number, Placement
from mnist_seq.sweep.pool.call import Call
from mnist_seq.sweep.pool.opening import Opening

if TYPE_CHECKING:
    import submitit


class SubmititLauncher(EngineLauncher):
    """Runs as jobs of submitit, one job for each run.

    Attributes:
        cluster: slurm, or local: new processes on this machine.
        parameters: of `Executor.update_parameters`, such as `timeout_min`.
    """

    package: ClassVar[str] = "submitit"
    extra: ClassVar[str] = "slurm"
    needs_posix: ClassVar[bool] = True

    cluster: Literal["local", "slurm"]
    slots_per_device: Number
    parameters: dict[str, Any]

    @property
    def placement(self) -> Placement:
        """See `Launcher`."""
        return Placement(
            workers=self.workers,
            grace_s=self.grace,
            slots_per_device=self.slots_per_device,
            is_here=self.cluster == "local",
        )

    def open_engine(self, opening: Opening) -> "SubmititEngine":
        """The queue. On Slurm, Slurm assigns the devices of a job."""
        slots = opening.slots if self.cluster == "local" else [{} for _ in opening.slots]
        folder = own_folder(opening.folder.path)
        return SubmititEngine(self.cluster, slots, folder=folder, parameters=self.parameters)


def own_folder(sweep: Path) -> Path:
    """The folder for submitit's own files. None of them may be a link: their names are no secret.

    Raises:
        OutsideFolder: see `files.inside`.
    """
    folder = files.make_folder(sweep, ".submitit")
    for path in folder.iterdir():
        files.inside(folder, path.name)
    return folder


class SubmititEngine:
    """Runs calls as submitit jobs, one job for each run.

    Args:
        slots: environment of each slot; their number limits the submitted jobs, because submitit on
            one machine has no limit and would start all of them.
        folder: where submitit keeps its own files.
        parameters: of `Executor.update_parameters`, such as `timeout_min`.

    Raises:
        ConfigError: this machine has no such cluster, or a parameter is wrong.
    """

    def __init__(
        self,
        cluster: Literal["local", "slurm"],
        slots: Sequence[dict[str, str]],
        *,
        folder: Path,
        parameters: Mapping[str, Any],
    ) -> None:
        import submitit

        self.slots = list(slots)
        try:
            self._executor = submitit.AutoExecutor(folder=folder, cluster=cluster)
            self._executor.update_parameters(**parameters)
        except (RuntimeError, NameError, ValueError) as error:  # NameError: an unknown parameter
            raise ConfigError(
                f"hydra/launcher=submitit_{cluster} cannot work here: "
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
        self._process: Any = getattr(job, "_process", None)  # of the local executor

    def is_done(self) -> bool:
        """Whether it has ended."""
        return bool(self._job.done())

    def fault(self) -> str:
        """Why there is no result, or ""."""
        if self._process is not None and not self._job.paths.result_pickle.exists():
            return f"its process died; what submitit knows: {self._job.paths.stderr}"
        try:
            return str(self._job.result())
        except Exception as error:  # of submitit's own, or what the job has raised
            return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"

    def ask_to_stop(self) -> None:
        """Ask the job to save its checkpoint and end."""
        if self._process is None:
            self._job.cancel(check=False)  # scancel: SIGTERM, and SIGKILL after Slurm's KillWait
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)  # passed on to the job

    def kill(self) -> None:
        """End the job."""
        if self._process is None:
            self._job.cancel(check=False)
        elif self._process.poll() is None:
            # this is submitit's process; the job is its only child
            subprocess.run(["pkill", "-KILL", "-P", str(self._process.pid)], check=False)
