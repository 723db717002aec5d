"""How the processes of a pool start: forked by a server that has torch, or spawned anew."""

import contextlib
import multiprocessing
import sys
import types
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from mnist_seq import system

if TYPE_CHECKING:  # Windows has no `ForkServerContext`
    from multiprocessing.context import ForkServerContext, SpawnContext

    Context = ForkServerContext | SpawnContext


def context() -> "Context":
    """What the processes are made of."""
    return cast("Context", multiprocessing.get_context(system.start_method()))


def warm_up(threads: int, *, data: str) -> None:
    """Do what can be done before the first process starts. See `start_fork_server`."""
    if system.start_method() == "forkserver":
        from mnist_seq.sweep.pool.fork_server import start_fork_server

        start_fork_server(threads, data=data)


def has_fork_server() -> bool:
    """Whether this command has started one."""
    if system.start_method() != "forkserver":
        return False
    from mnist_seq.sweep.pool.fork_server import is_started

    return is_started()


def end() -> None:
    """End what serves the starts, when no process is left."""
    if system.start_method() == "forkserver":
        from mnist_seq.sweep.pool.fork_server import stop_fork_server

        stop_fork_server()


@contextlib.contextmanager
def without_main() -> Iterator[None]:
    """Let the processes that are spawned in the block not import the command's main module.

    They need nothing of it, and on Windows it may be an .exe.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
