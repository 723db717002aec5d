"""What failed runs have in common, and how a process died."""

import re
import signal

from mnist_seq.runs.folder import RunFolder


def cause_of_death(exit_code: int | None) -> str:
    """One line for the exit code of a process that left no word."""
    if exit_code is None:
        return "its process did not end"
    if exit_code < 0:
        name = signal.Signals(-exit_code).name
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


def reason(folder: RunFolder) -> str:
    """The last line of a failure's traceback that says something."""
    lines = [line for line in folder.error().splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("its output: ")]
    return lines[-1] if lines else "no reason given"
