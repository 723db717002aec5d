"""The wandb package: how it is imported, kept quiet and kept to its place."""

import importlib
import logging
import os
import threading
from pathlib import Path
from typing import Any

_SERVICE = "WANDB_SERVICE"
_FOLDERS = ("WANDB_DATA_DIR", "WANDB_CACHE_DIR")  # staged files of tables; logs of the service

log = logging.getLogger("mnist_seq.tracking")
_lock = threading.Lock()
_own_folder = ""


def prepare(folder: Path | None = None) -> None:
    """Set the environment that wandb reads.

    - Its own telemetry is off: it would call home even from offline runs, and hold up the end of a
      process by 10 s where nobody answers.
    - A service that a parent process left in the environment is not used. There, a killed worker's
      run counts as finished, and its id stays taken, so that a retry could not continue the run.
    - What wandb keeps in the user's home goes to `folder`, unless the user has said where: a run
      is all in its folder then, and a home that cannot be written to is no matter.

    Call it before a run trains: changing the environment beside busy threads is unsafe in C.
    """
    global _own_folder
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    if f"-{os.getpid()}-" not in os.environ.get(_SERVICE, f"-{os.getpid()}-"):
        del os.environ[_SERVICE]
    if folder is not None:
        for name in _FOLDERS:
            if os.environ.get(name, "") == _own_folder:
                os.environ[name] = str(folder)
        _own_folder = str(folder)


def load() -> Any:
    """The wandb module, silent, with this process's service running."""
    with _lock:
        wandb = importlib.import_module("wandb")
        wandb.setup(wandb.Settings(silent=True))
    return wandb


def restart() -> None:
    """Give up this process's service, and with it the ids of runs that did not get through.

    A run that failed to open keeps its id in use until then.
    """
    with _lock:
        wandb = importlib.import_module("wandb")
        try:
            wandb.teardown(exit_code=1)  # what is still open there has not ended well
        except (
            Exception,
            SystemExit,
        ) as error:  # the service may have died, which is no matter now
            log.debug("W&B's service did not end well: %s", reason(error))
        os.environ.pop(_SERVICE, None)


def has_credentials(*, verify: bool) -> bool:
    """Whether an API key or token is configured. Never asks the user.

    Args:
        verify: ask the server too, once a process. Where it does not answer this takes 10 s.

    Raises:
        wandb.errors.AuthenticationError: the credentials have an impossible form or do not work.
    """
    # login(key=...) would write the key to ~/.netrc
    return bool(load().login(prompt=False, verify=verify))


def reason(error: BaseException) -> str:
    """What went wrong in one line, without the API key, whatever wandb put into its message."""
    line = " ".join(str(error).split()) or "no message"
    if key := os.environ.get("WANDB_API_KEY"):
        line = line.replace(key, "***")
    return f"{type(error).__name__}: {line[:300]}"
