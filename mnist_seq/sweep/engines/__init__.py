"""Launchers: where the runs of a plan go, and how each of them is started there.

A launcher is a YAML, `conf/hydra/launcher/<name>.yaml`, whose key `engine` names a file of this
folder. That file holds one subclass of `EngineLauncher`: its fields are the YAML's keys with their
types, so that a wrong key or value is refused by name. Its life, in the command's own process:

1. `launcher_of(engine, keys)` checks the keys; ConfigError refuses the command.
2. `warm_up(...)`, unless it is a dry run: may begin what takes long while the sweep is planned.
3. `placement` is read by the plan: runs at once, seconds to stop, stacks.
4. `open_engine(opening)`, once, when something is to run. Queue, retries, time limits, signals,
   ledger and progress lines are the pool's, which hands its jobs to the engine. (A launcher that
   needs another pool is a `Launcher` with an `open_pool` of its own, as `pool` and `stack` are.)
5. The engine starts calls, one a run, and is closed when the last of them has ended. Whatever
   `start` raises fails that run alone; a call itself never raises.
"""

import functools
import importlib
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from mnist_seq.config import Config, ConfigError
from mnist_seq.config.messages import validated
from mnist_seq.config.schema import Group
from mnist_seq.sweep.pool.opening import Opening
from mnist_seq.sweep.pool.pool import Pool
from mnist_seq.sweep.pool.remote import Engine, RemotePool
from mnist_seq.sweep.pool.slots import Slots, has_gpu, open_slots

MAX_WORKERS = 10_000

Number = Annotated[int, Field(ge=1, le=MAX_WORKERS)]
AutoNumber = Literal["auto"] | Number
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class Placement:
    """What a launcher offers to the runs of a plan.

    Attributes:
        workers: runs (or stacks) at once; auto: cores / device.threads, or slots_per_device a GPU.
        grace_s: seconds that a run gets to save its checkpoint when the sweep is stopped.
        slots_per_device: runs at once on one GPU.
        stacks_on: devices on which runs of equal shape are trained together, as one program.
        max_runs: of a stack.
        is_here: whether the runs train on the machine of the command.
    """

    workers: int | Literal["auto"]
    grace_s: float
    slots_per_device: int = 1
    stacks_on: Literal["nothing", "anything", "cuda"] = "nothing"
    max_runs: int | Literal["auto"] = "auto"
    is_here: bool = True

    def slots(self, configs: Sequence[Config]) -> Slots:
        """One environment for each run that goes at once."""
        return open_slots(configs, workers=self.workers, per_device=self.slots_per_device)

    def is_stacking(self, slots: Slots) -> bool:
        """Whether runs of equal shape are trained together in these slots."""
        return self.stacks_on == "anything" or (self.stacks_on == "cuda" and has_gpu(slots))


class Launcher(Group, ABC):
    """The base of all launchers, with the keys that each of them has.

    Attributes:
        package: that must be installed for it, or "".
        extra: of this project, that installs the package.
    """

    package: ClassVar[str] = ""
    extra: ClassVar[str] = ""

    workers: AutoNumber
    grace: Seconds

    @property
    def placement(self) -> Placement:
        """What it offers to the runs of a plan."""
        return Placement(workers=self.workers, grace_s=self.grace)

    def warm_up(self, *, threads: int, data: str) -> None:
        """Begin what takes long, before the sweep is planned.

        Args:
            threads: of a run on the CPU.
            data: name of the command's data set.
        """

    @abstractmethod
    def open_pool(self, opening: Opening) -> Pool:
        """The pool that runs the jobs.

        Raises:
            ConfigError: it cannot work here.
        """


class EngineLauncher(Launcher):
    """The base of a launcher whose jobs are calls in the hands of an engine."""

    def open_pool(self, opening: Opening) -> Pool:
        """The pool that hands its jobs to the engine."""
        return RemotePool(self.open_engine(opening), policy=opening.policy, views=())

    @abstractmethod
    def open_engine(self, opening: Opening) -> Engine:
        """What runs the calls, ready for the first one.

        Raises:
            ConfigError: it cannot work here.
        """


def launcher_of(name: str, engine: str, keys: Mapping[str, Any]) -> Launcher:
    """The launcher that the keys of a YAML describe.

    Args:
        name: as the user chooses it, for the errors.

    Raises:
        ConfigError: there is no such engine, its package is missing, or a key is wrong.
    """
    chosen = _class_of(engine)
    if chosen is None:
        raise ConfigError(
            f"hydra.launcher.engine must name a file of mnist_seq/sweep/engines: "
            f"hydra.launcher.engine={engine}"
        )
    if chosen.package and importlib.util.find_spec(chosen.package) is None:
        raise ConfigError(
            f"hydra/launcher={name} needs the package {chosen.package}, which is not installed: "
            f"pip install 'mnist_seq[{chosen.extra}]'"
        )
    return validated(chosen, keys, "hydra.launcher")


@functools.cache
def _class_of(engine: str) -> type[Launcher] | None:
    """The launcher class of a file of this folder; None where there is no such file."""
    name = f"{__name__}.{engine}"
    if not engine.isidentifier() or importlib.util.find_spec(name) is None:
        return None
    module = importlib.import_module(f"mnist_seq.sweep.engines.{engine}")
    own = [c for c in vars(module).values() if isinstance(c, type) and c.__module__ == name]
    return next((c for c in own if issubclass(c, Launcher)), None)
