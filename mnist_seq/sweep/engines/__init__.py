"""Launchers: where the runs of a sweep train, and how each of them is started.

A launcher is a YAML, `conf/hydra/launcher/<name>.yaml`, whose key `engine` names a file of this
folder. That file holds one subclass of `EngineLauncher`: its fields are the YAML's keys with their
types, so that a wrong key or value is refused with its name. Its life cycle, in the process of the
command:

1. `launcher_of(engine, keys)` checks the keys; ConfigError refuses the command.
2. `warm_up(...)`, unless it is a dry run, may start slow work, which then runs during planning.
3. `placement` tells the plan how many runs train at once, whether in stacks, and how they stop.
4. `open_engine(opening)` is called once, if there is a run to train. The pool has the queue,
   retries, time limits, signals, ledger and progress lines, and gives its jobs to the engine. (A
   launcher that needs another pool overrides `Launcher.open_pool`, as `pool` and `stack` do.)
5. The engine (`pool.remote.Engine`) starts a `pool.call.Call` for each run, and is closed after the
   last one. An error in `start` fails that run only; a call itself never raises.
"""

import functools
import importlib
import importlib.util
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from mnist_seq.config import Config, ConfigError
from mnist_seq.config.messages import validated
from mnist_seq.config.plugin_keys import unknown_key
from mnist_seq.config.schema import Group
from mnist_seq.sweep.pool.opening import Opening
from mnist_seq.sweep.pool.pool import Pool
from mnist_seq.sweep.pool.remote import Engine, RemotePool
from mnist_seq.sweep.pool.slots import Slots, has_stacks, open_slots

MAX_WORKERS = 10_000

Number = Annotated[int, Field(ge=1, le=MAX_WORKERS)]
AutoNumber = Literal["auto"] | Number
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class Placement:
    """How a launcher runs the runs of a plan.

    Attributes:
        workers: runs (or stacks) at once; auto: cores / device.threads, or slots_per_device on each
            GPU.
        grace_s: seconds that a run gets to save its checkpoint when the sweep is stopped.
        slots_per_device: runs (or stacks) at once on one GPU.
        stacks_on: devices on which runs of equal shape are trained as one batched program.
        max_runs: largest number of runs in a stack.
        is_here: whether the runs train on the machine of the command.
        is_queue: whether runs wait in a queue: their clock starts when they train.
        resubmits: how often in a row, without a new checkpoint, a run is submitted again that the
            scheduler has stopped.
        is_detached: whether the command submits the runs and ends; its pool is a `RemotePool`.
    """

    workers: int | Literal["auto"]
    grace_s: float
    slots_per_device: int = 1
    stacks_on: Literal["nothing", "anything", "cuda"] = "nothing"
    max_runs: int | Literal["auto"] = "auto"
    is_here: bool = True
    is_queue: bool = False
    resubmits: int = 0
    is_detached: bool = False

    @property
    def why_torch(self) -> str:
        """Why `device.kernel=auto` is torch here, whatever the runs are; or ""."""
        if self.stacks_on == "anything":
            return "a stack goes by torch's kernels"
        return "" if self.is_here else "the runs train on other machines"

    def slots(self, configs: Sequence[Config]) -> Slots:
        """One environment for each run that trains at once."""
        return open_slots(configs, workers=self.workers, per_device=self.slots_per_device)

    def is_stacking(self, slots: Slots) -> bool:
        """Whether runs of equal shape are trained as stacks in these slots.

        Elsewhere than here nobody knows the slots yet: then whether they may be.
        """
        if not self.is_here:
            return self.stacks_on != "nothing"
        return has_stacks(slots, self.stacks_on)


class Launcher(Group, ABC):
    """Base class of all launchers, with the keys that all of them have.

    Attributes:
        package: Python package that it needs, or "".
        extra: extra of this project that installs the package.
        needs_posix: whether it cannot work on Windows.
    """

    package: ClassVar[str] = ""
    extra: ClassVar[str] = ""
    needs_posix: ClassVar[bool] = False

    workers: AutoNumber
    grace: Seconds

    @property
    def placement(self) -> Placement:
        """How it runs the runs of a plan."""
        return Placement(workers=self.workers, grace_s=self.grace)

    def warm_up(self, *, threads: int, data: str) -> None:
        """Start slow work before the sweep is planned.

        Args:
            threads: CPU threads of a run.
            data: name of the command's data set.
        """

    @abstractmethod
    def open_pool(self, opening: Opening) -> Pool:
        """The pool that runs the jobs.

        Raises:
            ConfigError: it cannot work on this machine.
        """


class EngineLauncher(Launcher):
    """Base class of a launcher that gives its jobs to an engine."""

    def open_pool(self, opening: Opening) -> Pool:
        """The pool that gives its jobs to the engine."""
        engine = self.open_engine(opening)
        is_queue = self.placement.is_queue
        return RemotePool(engine, policy=opening.policy, views=(), is_queue=is_queue)

    @abstractmethod
    def open_engine(self, opening: Opening) -> Engine:
        """The engine, ready for the first call.

        Raises:
            ConfigError: it cannot work on this machine.
        """


def launcher_of(name: str, engine: str, keys: Mapping[str, Any]) -> Launcher:
    """The launcher that the keys of a YAML describe.

    Args:
        name: its option, for the errors.

    Raises:
        ConfigError: there is no such engine, it cannot work here, or a key is wrong.
    """
    chosen = _class_of(engine)
    if chosen is None:
        raise ConfigError(
            f"hydra.launcher.engine must name a file of mnist_seq/sweep/engines: "
            f"hydra.launcher.engine={engine}"
        )
    if chosen.needs_posix and not hasattr(os, "setsid"):
        raise ConfigError(
            f"hydra/launcher={name} needs process groups and signals, which this system does not "
            "have; choose hydra/launcher=pool, or use WSL"
        )
    if chosen.package and importlib.util.find_spec(chosen.package) is None:
        raise ConfigError(
            f"hydra/launcher={name} needs the package {chosen.package}, which is not installed: "
            f"pip install 'mnist_seq[{chosen.extra}]'"
        )
    for key in keys:
        if key not in chosen.model_fields and (text := unknown_key(f"hydra.launcher.{key}", name)):
            raise ConfigError(text)
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
