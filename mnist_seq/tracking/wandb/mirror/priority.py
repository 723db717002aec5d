"""Lowers the CPU priority of the mirror process, so that training comes first."""

import contextlib
import os
from pathlib import Path

NICENESS = 5  # gets about a third of training's share of a contested core, so it never starves


def lower_priority() -> None:
    """Lower the priority of all threads of this process, and of the service that wandb started.

    The service runs in a session of its own. On Linux with autogroup (the default of most
    distributions), niceness counts only within a session, and each session has a niceness of its
    own in /proc/<pid>/autogroup.
    """
    tasks = Path("/proc/self/task")  # only Linux has it; elsewhere the priority stays as it is
    with contextlib.suppress(OSError):
        for task in tasks.iterdir():
            os.setpriority(os.PRIO_PROCESS, int(task.name), NICENESS)
    for children in tasks.glob("*/children"):
        with contextlib.suppress(OSError):
            for pid in map(int, children.read_text(encoding="utf-8").split()):
                if os.getsid(pid) == pid:
                    Path(f"/proc/{pid}/autogroup").write_text(str(NICENESS), encoding="utf-8")
