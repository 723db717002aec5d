"""Ray: this machine, or a cluster whose machines see the same files."""

import os
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from mnist_seq.config import ConfigError
from mnist_seq.sweep.engines import EngineLauncher, Placement
from mnist_seq.sweep.pool.call import Call
from mnist_seq.sweep.pool.opening import Opening
from mnist_seq.sweep.pool.remote import STOPPED_BY


class RayLauncher(EngineLauncher):
    """Runs as tasks of Ray.

    Attributes:
        init: arguments of `ray.init`; `address` names a running cluster.
        remote: options of a task, such as `num_cpus`.
        resubmit: how often in a row, without a new checkpoint, a run is given to the cluster again
            whose node was lost.
    """

    package: ClassVar[str] = "ray"
    extra: ClassVar[str] = "ray"

    init: dict[str, Any]
    remote: dict[str, Any]
    resubmit: Annotated[int, Field(ge=0)] = 3

    @property
    def placement(self) -> Placement:
        """See `Launcher`."""
        is_here = self.init.get("address", "local") == "local"
        return Placement(
            workers=self.workers, grace_s=self.grace, is_here=is_here, resubmits=self.resubmit
        )

    def open_engine(self, opening: Opening) -> "RayEngine":
        """Ray, started on this machine or joined as a cluster."""
        workers = 0 if self.workers == "auto" else self.workers
        return RayEngine(workers=workers, init=self.init, remote=self.remote)


class RayEngine:
    """Runs calls as Ray tasks.

    Args:
        workers: runs at once; 0: as many as the cluster has resources for.
        init: arguments of `ray.init`; `address` names a running cluster.
        remote: options of a task, such as `num_cpus`.

    Raises:
        ConfigError: Ray cannot be reached, or lacks the resources for one run.
    """

    def __init__(self, *, workers: int, init: Mapping[str, Any], remote: Mapping[str, Any]) -> None:
        # or Ray 2.60 writes a token to ~/.ray; a cluster must be started with the same setting
        os.environ.setdefault("RAY_AUTH_MODE", "disabled")
        import ray

        try:
            ray.init(**init)
        except (ConnectionError, RuntimeError, ValueError, AssertionError) as error:
            first = str(error).splitlines()[0]
            raise ConfigError(f"Ray did not start with {dict(init)}: {first}") from None
        room = ray.cluster_resources()
        each = {"CPU": float(remote.get("num_cpus", 1)), "GPU": float(remote.get("num_gpus", 0))}
        fits = min(int(room.get(name, 0) / need) for name, need in each.items() if need)
        if fits < 1:
            self.close()
            raise ConfigError(
                f"Ray has no room for a run: a run takes {each}, the cluster has "
                f"{ {name: room.get(name, 0) for name in each} }; lower "
                "hydra.launcher.remote.num_cpus or num_gpus"
            )
        self.slots: list[dict[str, str]] = [{} for _ in range(workers or fits)]
        self._train = ray.remote(**remote)(_train)

    def start(self, call: Call, slot: int) -> "RayHandle":
        """Give a call to the cluster."""
        return RayHandle(self._train.remote(call))

    def close(self) -> None:
        """Disconnect from the cluster; one that was started for this sweep ends."""
        import ray

        ray.shutdown()


class RayHandle:
    """A call in the cluster."""

    def __init__(self, ref: Any) -> None:
        self._ref = ref

    def is_done(self) -> bool:
        """Whether it has returned, or was lost."""
        import ray

        done, _ = ray.wait([self._ref], timeout=0)
        return bool(done)

    def fault(self) -> str:
        """Why there is no result, or ""."""
        import ray

        try:
            return str(ray.get(self._ref))
        except ray.exceptions.NodeDiedError:
            return f"{STOPPED_BY}Ray: its node was lost"
        except ray.exceptions.RayError as error:
            return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"

    def ask_to_stop(self) -> None:
        """Ask the job to save its checkpoint and end: Ray sends it a SIGINT."""
        import ray

        ray.cancel(self._ref, force=False)

    def kill(self) -> None:
        """End its worker."""
        import ray

        ray.cancel(self._ref, force=True)


def _train(call: Call) -> str:
    return call()
