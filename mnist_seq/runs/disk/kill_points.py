"""Names points in a run and a sweep at which a test can kill the process.

The environment variable `MNIST_SEQ_KILL` names a file that holds a point and a number, such as
"checkpoint.pt: written 2". The first process that reaches the point for the second time removes the
file and kills itself with SIGKILL. Without the variable, a point costs one comparison.
"""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from mnist_seq import system

_OF_A_RUN = ("run.json", "best.pt", "checkpoint.pt", "predictions.npz", "model.pt", "result.json")
_WHEN = ("begun", "written", "renamed")  # of a file that is written whole and then renamed
_WHEN_LINE = ("half a line", "a line")  # of a file that grows line by line

RUN_POINTS = (
    "job: begun",  # before the run's folder exists
    "job: asked",  # .hydra is written, run.json is not
    *(f"{file}: {when}" for file in _OF_A_RUN for when in _WHEN),
    *(f"metrics.jsonl: {when}" for when in _WHEN_LINE),
)
SWEEP_POINTS = (
    *(f"multirun.yaml: {when}" for when in _WHEN),
    *(f"ledger.jsonl: {when}" for when in _WHEN_LINE),
    "run: set aside",
)

VARIABLE = "MNIST_SEQ_KILL"
_FILE = os.environ.get(VARIABLE, "")
_times: Counter[str] = Counter()


def reached(point: str, *, first: Callable[[], object] = lambda: None) -> None:
    """Say that a point is reached; the process ends here if a test asked for it.

    Args:
        first: called before the process ends, to leave something half done.
    """
    if not _FILE:
        return
    _times[point] += 1
    try:
        wanted = Path(_FILE).read_text(encoding="utf-8")
        if wanted != f"{point} {_times[point]}":
            return
        os.unlink(_FILE)
    except FileNotFoundError:  # another process has ended already; one is enough
        return
    first()
    system.kill(os.getpid())
