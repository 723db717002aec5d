"""Named points of a run's and a sweep's life, at which a test can have the process killed.

`MNIST_SEQ_KILL` names a file that holds a point and a number, "checkpoint.pt: written 2". The first
process that passes the point for that many times removes the file and dies of SIGKILL. Where the
variable is not set, passing a point costs one comparison.
"""

import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

_OF_A_RUN = ("run.json", "best.pt", "checkpoint.pt", "predictions.npz", "model.pt", "result.json")
_WHEN = ("begun", "written", "renamed")  # of a file that takes its name when it is whole
_WHEN_LINE = ("half a line", "a line")  # of a file that grows by lines

RUN_POINTS = (
    "job: begun",  # before its folder
    "job: asked",  # .hydra is there, run.json is not
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
_passings: Counter[str] = Counter()


def passed(point: str, *, first: Callable[[], object] = lambda: None) -> None:
    """Go on, or die here where a test wants it.

    Args:
        first: done before dying, to leave something half done.
    """
    if not _FILE:
        return
    _passings[point] += 1
    try:
        wanted = Path(_FILE).read_text()
        if wanted != f"{point} {_passings[point]}":
            return
        os.unlink(_FILE)
    except FileNotFoundError:  # some process has died already, and that is enough
        return
    first()
    os.kill(os.getpid(), signal.SIGKILL)
