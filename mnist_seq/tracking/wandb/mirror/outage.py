"""Asks a server that has failed, with growing pauses, whether it answers again.

Runs that start meanwhile are mirrored offline at once. Runs that start later go online again.
"""

import logging
import threading
import time

from mnist_seq.tracking.wandb import mode, package

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 120.0  # each pause is twice as long as the one before
ANSWER_SECONDS = 4  # that the server gets to answer

log = logging.getLogger("mnist_seq.tracking")
_lock = threading.Lock()
_has_later_runs = False
_watcher: threading.Thread | None = None
_pause = FIRST_PAUSE_S


def expect_later_runs() -> None:
    """Say that this process mirrors a sweep. Without later runs nobody needs to ask the server."""
    global _has_later_runs
    _has_later_runs = True


def begin(reason: str) -> bool:
    """W&B failed. Later runs go offline until the server answers again.

    Returns:
        Whether this is news: the server was not known to have failed.
    """
    with _lock:
        is_news = not mode.failure()
        mode.remember_failure(reason)
        _watch()
    return is_news


def watch() -> None:
    """Ask the server until it answers, on a thread."""
    with _lock:
        _watch()


def forget_pauses() -> None:
    """A run is on the server completely: the next outage begins with a short pause."""
    global _pause
    _pause = FIRST_PAUSE_S


def _watch() -> None:
    global _watcher
    if _has_later_runs and _watcher is None:
        _watcher = threading.Thread(target=_ask, name="wandb-outage", daemon=True)
        _watcher.start()


def _ask() -> None:
    global _pause, _watcher
    while not package.is_cut_off():
        time.sleep(_pause)
        _pause = min(2 * _pause, LONGEST_PAUSE_S)
        if package.answers(timeout=ANSWER_SECONDS):
            with _lock:
                mode.forget_failure()
                _watcher = None
            log.info("W&B: the server answers again; runs that start from now on go online")
            return
