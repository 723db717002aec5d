"""What failed runs have in common, and how a process died."""

import contextlib
import re
import signal

from mnist_seq.runs.folder import FolderState, RunFolder
from mnist_seq.sweep.pool.jobs import End
from mnist_seq.sweep.pool.worker import LOG


def cause_of_death(exit_code: int | None) -> str:
    """One line for the exit code of a process that left no word."""
    if exit_code is None:
        return "its process did not end"
    if exit_code < 0:
        names = {s.value: s.name for s in signal.Signals}  # real-time ones have none
        name = names.get(-exit_code, f"signal {-exit_code}")
        hint = (
            " (the system's answer to a lack of memory, or somebody's)" if name == "SIGKILL" else ""
        )
        return f"its process was ended by {name}{hint}"
    return f"its process ended with exit code {exit_code} and without a result"


def signature(folder: RunFolder) -> str:
    """Equal for two failures with one cause: the traceback without its numbers."""
    if not folder.error_path.exists():
        return ""
    text = folder.error().replace(str(folder.path), "")
    return re.sub(r"\d+(\.\d+)?(e[+-]?\d+)?", "#", text)


def state_of(folder: RunFolder) -> tuple[FolderState, str]:
    """A run's state, and what is damaged: a run whose result cannot be read counts as failed."""
    try:
        return folder.state(), ""
    except (ValueError, OSError) as error:
        return "failed", str(error)


def judged(folder: RunFolder, *, stopped: str, fault: str) -> tuple[End, str]:
    """What became of a job that is no longer at work, and why.

    Args:
        stopped: why it was ended early, where that is nobody's failure, or "".
        fault: what went wrong if the folder holds no result.
    """
    state, damage = state_of(folder)
    if state == "finished" or state == "diverged":
        return state, folder.result().get("reason", "")
    if damage:
        return "failed", damage
    if stopped and state != "failed":
        return "interrupted", stopped
    if state != "failed":
        # A full disk takes no error.txt; the ledger and the summary still have the reason
        with contextlib.suppress(OSError):
            folder.path.mkdir(parents=True, exist_ok=True)  # it may have died before that
            folder.write_error(f"its output: {folder.path / LOG}\n{fault}")
    return "failed", fault


def reason(folder: RunFolder) -> str:
    """Why a run failed: the last line of its traceback that says something, or what is damaged."""
    _, damage = state_of(folder)
    if damage:
        return damage
    with contextlib.suppress(OSError):
        lines = [line for line in folder.error().splitlines() if line.strip()]
        lines = [line for line in lines if not line.startswith("its output: ")]
        if lines:
            return lines[-1]
    return "no reason given"
