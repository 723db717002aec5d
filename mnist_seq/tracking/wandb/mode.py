"""Online or offline: chosen once a sweep, within seconds, without a question to the user."""

import os
import queue
import threading
from dataclasses import dataclass
from typing import Literal

from mnist_seq.tracking.wandb import library
from mnist_seq.tracking.wandb.source import Tracker

Mode = Literal["online", "offline", "disabled"]

PROBE_SECONDS = 4.5  # until a server must have said that credentials are good
_CHANGE = "choose with tracker.mode=online|offline|disabled or tracker=none"
# Values of WANDB_MODE that mean one of ours; "run" and "dryrun" are wandb's old names
_WANDB_MODES: dict[str, Mode] = {
    "online": "online",
    "run": "online",
    "offline": "offline",
    "dryrun": "offline",
    "disabled": "disabled",
}
_NO_CREDENTIALS = "no credentials (`wandb login` stores some)"


@dataclass(frozen=True)
class Choice:
    """Where the mirror goes, and the line that tells the user."""

    mode: Mode
    notice: str


_lock = threading.Lock()
_remembered: Choice | None = None
_failure = ""  # why online has failed in this process


def choose_mode(tracker: Tracker) -> Choice:
    """Decide where runs are mirrored to.

    Only `mode=auto` with credentials and without WANDB_MODE asks the server, for 5 s at most;
    nothing ever asks the user, and nothing raises.
    """
    if tracker.mode != "auto":
        return Choice(tracker.mode, f"W&B: {tracker.mode}, by tracker.mode; {_CHANGE}")
    if found := _from_environment():
        return found
    if library.lacks_credentials():
        return _offline(_NO_CREDENTIALS)
    return _probe()


def _from_environment() -> Choice | None:
    """What wandb's variables say; WANDB_DISABLED is an old one that other packages know."""
    disabled, given = os.environ.get("WANDB_DISABLED", ""), os.environ.get("WANDB_MODE", "")
    if disabled.lower() in ("true", "1", "yes"):
        return _by("disabled", f"WANDB_DISABLED={disabled}")
    if given in _WANDB_MODES:
        return _by(_WANDB_MODES[given], f"WANDB_MODE={given}")
    if given:
        known = ", ".join(_WANDB_MODES)
        return _offline(f"since WANDB_MODE must be one of {known}: WANDB_MODE={given}")
    return None


def _by(mode: Mode, variable: str) -> Choice:
    return Choice(mode, f"W&B: {mode}, by {variable}; unset it or {_CHANGE}")


def settle(tracker: Tracker) -> tuple[Choice, bool]:
    """The choice that holds in this process, and whether it is new and thus to be announced."""
    global _remembered
    if tracker.mode in ("offline", "disabled"):
        return choose_mode(tracker), False
    with _lock:
        if _failure:
            return Choice("offline", f"W&B: offline, since online failed before: {_failure}"), False
        if tracker.mode == "online":
            return choose_mode(tracker), False
        if _remembered is None:
            _remembered = choose_mode(tracker)
            return _remembered, True
        return _remembered, False


def is_disabled(tracker: Tracker) -> bool:
    """Whether nothing is to be mirrored: said without asking the server."""
    if tracker.mode == "auto" and (found := _from_environment()):
        return found.mode == "disabled"
    return tracker.mode == "disabled"


def remember_failure(reason: str) -> None:
    """Online has failed: later runs of this process go offline at once, and wait no more."""
    global _failure
    _failure = reason


def failure() -> str:
    """Why online has failed in this process; empty where it has not."""
    return _failure


def _probe() -> Choice:
    try:
        library.load()  # takes longer where the machine is busy, which is not the server's fault
    except Exception as error:
        return _offline(f"wandb does not start ({library.reason(error)})")
    answers: queue.SimpleQueue[Choice] = queue.SimpleQueue()
    # On a thread, since a server that does not answer holds login() for 10 s or more
    threading.Thread(
        target=lambda: answers.put(_verified()), name="wandb-login", daemon=True
    ).start()
    try:
        return answers.get(timeout=PROBE_SECONDS)
    except queue.Empty:
        return _offline(f"the server did not answer within {PROBE_SECONDS:g} s")


def _verified() -> Choice:
    try:
        if not library.has_credentials(verify=True):
            return _offline(_NO_CREDENTIALS)
    except Exception as error:  # whatever wandb raises here, the answer is offline, and says why
        return _offline(f"credentials did not work ({library.reason(error)})")
    return Choice("online", f"W&B: online, credentials verified; {_CHANGE}")


def _offline(why: str) -> Choice:
    return Choice("offline", f"W&B: offline, {why}; {_CHANGE}")
