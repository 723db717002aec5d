"""Describes failures: why a process died, and which failed runs have the same cause."""

import contextlib
import re
import signal

from mnist_seq.runs.folder import FolderState, RunFolder
from mnist_seq.sweep.pool.jobs import End
from mnist_seq.sweep.pool.worker import LOG
from mnist_seq.system import STOP_SIGNALS


def cause_of_death(exit_code: int | None) -> str:
    """Say in one line how a process died, from its exit code."""
    if exit_code is None:
        return "its process did not end"
    if exit_code < 0:
        names = {s.value: s.name for s in signal.Signals}  # real-time signals have no name
        name = names.get(-exit_code, f"signal {-exit_code}")
        hint = (
            " (the system's answer to a lack of memory, or somebody's)" if name == "SIGKILL" else ""
        )
        return f"its process was ended by {name}{hint}"
    return f"its process ended with exit code {exit_code} and without a result"


def is_stop(exit_code: int | None) -> bool:
    """Whether a process was ended by a signal that asks it to stop."""
    return exit_code is not None and -exit_code in STOP_SIGNALS


def signature(folder: RunFolder) -> str:
    """A text that is equal for failures with the same cause: the traceback without its numbers."""
    if not folder.error_path.exists():
        return ""
    text = folder.error().replace(str(folder.path), "")
    return re.sub(r"\d+(\.\d+)?(e[+-]?\d+)?", "#", text)


def state_of(folder: RunFolder) -> tuple[FolderState, str]:
    """The state of a run, and the damage if its result cannot be read: then it is "failed"."""
    try:
        return folder.state(), ""
    except (ValueError, OSError) as error:
        return "failed", str(error)


def judged(folder: RunFolder, *, stopped: str, fault: str) -> tuple[End, str]:
    """The outcome of a job that has ended.

    Args:
        stopped: why it was stopped early without a failure, or "".
        fault: what went wrong, in case the folder has no result.
    """
    state, damage = state_of(folder)
    if state == "finished" or state == "diverged":
        return state, folder.result().get("reason", "")
    if damage:
        return "failed", damage
    if stopped and state != "failed":
        return "interrupted", stopped
    if state != "failed":
        # if the disk is full there is no error.txt, but the ledger and the summary have the reason
        with contextlib.suppress(OSError):
            folder.path.mkdir(parents=True, exist_ok=True)  # it may have died early
            folder.write_error(f"its output: {folder.path / LOG}\n{fault}")
    return "failed", fault


def reason(folder: RunFolder) -> str:
    """Why a run failed: the last line of its traceback with a message, or the damage."""
    _, damage = state_of(folder)
    if damage:
        return damage
    with contextlib.suppress(OSError):
        lines = [line for line in folder.error().splitlines() if line.strip()]
        lines = [line for line in lines if not line.startswith("its output: ")]
        if lines:
            return lines[-1]
    return "no reason given"
