"""Calls functions that need torch where it is imported already."""

import os
import pickle
import warnings
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from mnist_seq.config import Config
from mnist_seq.sweep.pool import starts

T = TypeVar("T")


def with_torch(function: Callable[[Sequence[Config]], T], configs: Sequence[Config]) -> T:
    """What a function of a module returns, for which it imports torch.

    It is called in a process of the fork server, where this command has one: that has torch, and
    its import takes this process over a second. If it raises there, it is called here too, so that
    errors and warnings are those of this process.
    """
    if starts.has_fork_server():
        answer = _asked(function, configs)
        if answer is not None:
            return answer[0]
    return function(configs)


def _asked(function: Callable[[Sequence[Config]], T], configs: Sequence[Config]) -> tuple[T] | None:
    context = starts.context()
    receiver, sender = context.Pipe(duplex=False)
    env = {key: value for key, value in os.environ.items() if key.startswith("MNIST_SEQ")}
    work = pickle.dumps((function, configs))
    process = context.Process(target=_answer, args=(sender, work, env), daemon=True)
    try:
        # waits for the server's imports; signals are let through, since nothing depends on it yet
        with sender, starts.without_main():
            process.start()
    except (OSError, EOFError):  # the server was killed
        receiver.close()
        return None
    try:
        found = receiver.recv()
        return found if isinstance(found, tuple) else None
    except (EOFError, OSError):
        return None
    finally:
        receiver.close()
        process.kill()
        process.join()
        process.close()


def _answer(sender: Connection, work: bytes, env: Mapping[str, str]) -> None:
    """Send (what the function returns,), or None where it raises or warns.

    Args:
        work: pickled, since own members are found once the environment is set.
    """
    os.environ.update(env)
    answer: tuple[Any] | None = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            function, configs = pickle.loads(work)
            answer = (function(configs),)
    except BaseException:
        answer = None
    try:
        sender.send(answer)
    finally:  # the command may be gone
        os._exit(0)  # skips torch's shutdown, which takes half a second
