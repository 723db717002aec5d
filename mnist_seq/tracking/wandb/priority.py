"""The mirror's place behind those who train, where cores are short."""

import contextlib
import os
from pathlib import Path

NICENESS = 5  # a third of what training gets of a core that both want; behind it, never starved


def give_way() -> None:
    """Put this process behind others, all of its threads, and the service that wandb has started.

    That service has a session of its own. Where Linux shares out the cores among sessions
    (autogroup, the default of most distributions), niceness counts within a session alone, and a
    session has one of its own.
    """
    tasks = Path("/proc/self/task")  # Linux alone: elsewhere the mirror stays where it is
    with contextlib.suppress(OSError):
        for task in tasks.iterdir():
            os.setpriority(os.PRIO_PROCESS, int(task.name), NICENESS)
    for children in tasks.glob("*/children"):
        with contextlib.suppress(OSError):
            for pid in map(int, children.read_text().split()):
                if os.getsid(pid) == pid:
                    Path(f"/proc/{pid}/autogroup").write_text(str(NICENESS))
