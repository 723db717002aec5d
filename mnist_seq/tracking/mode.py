"""Online or offline: chosen once a process, within seconds, without a question to the user."""

import os
import queue
import threading
from dataclasses import dataclass
from typing import Literal

from mnist_seq.config.schema import WandB
from mnist_seq.tracking import library

Mode = Literal["online", "offline", "disabled"]

PROBE_SECONDS = 5.0  # until credentials must have proved good; the bound is 6 s in all
_CHANGE = "choose with tracker.mode=online|offline|disabled or tracker=none"
# Values of WANDB_MODE that mean one of ours; "run" and "dryrun" are wandb's old names
_WANDB_MODES: dict[str, Mode] = {
    "online": "online",
    "run": "online",
    "offline": "offline",
    "dryrun": "offline",
    "disabled": "disabled",
}


@dataclass(frozen=True)
class Choice:
    """Where the mirror goes, and the line that tells the user."""

    mode: Mode
    notice: str


_lock = threading.Lock()
_remembered: Choice | None = None
_online_failed = False


def choose_mode(tracker: WandB) -> Choice:
    """Decide where runs are mirrored to.

    Only `mode=auto` without WANDB_MODE asks the server, for 5 s at most; nothing ever asks the
    user, and nothing raises.
    """
    if tracker.mode != "auto":
        return Choice(tracker.mode, f"W&B: {tracker.mode}, by tracker.mode; {_CHANGE}")
    given = os.environ.get("WANDB_MODE", "")
    if given in _WANDB_MODES:
        mode = _WANDB_MODES[given]
        return Choice(mode, f"W&B: {mode}, by WANDB_MODE={given}; unset it or {_CHANGE}")
    return _probe()


def remember_mode(choice: Choice) -> None:
    """Hand this process a choice that has been made and announced: it makes none of its own."""
    global _remembered
    _remembered = choice


def settle(tracker: WandB) -> tuple[Choice, bool]:
    """The choice that holds in this process, and whether it is new and thus to be announced."""
    global _remembered
    if tracker.mode in ("offline", "disabled"):
        return choose_mode(tracker), False
    with _lock:
        if _online_failed:
            return Choice("offline", "W&B: offline, since online failed before"), False
        if tracker.mode == "online":
            return choose_mode(tracker), False
        if _remembered is None:
            _remembered = choose_mode(tracker)
            return _remembered, True
        return _remembered, False


def is_disabled(tracker: WandB) -> bool:
    """Whether nothing is to be mirrored, as far as is known without asking the server."""
    if tracker.mode != "auto":
        return tracker.mode == "disabled"
    if _remembered is not None:
        return _remembered.mode == "disabled"
    return _WANDB_MODES.get(os.environ.get("WANDB_MODE", "")) == "disabled"


def remember_failure() -> None:
    """Online has failed: later runs of this process go offline at once, and wait no more."""
    global _online_failed
    _online_failed = True


def _probe() -> Choice:
    library.prepare()
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
            return _offline("no credentials (`wandb login` stores some)")
    except Exception as error:  # whatever wandb raises here, the answer is offline, and says why
        return _offline(f"credentials did not work ({library.reason(error)})")
    return Choice("online", f"W&B: online, credentials verified; {_CHANGE}")


def _offline(why: str) -> Choice:
    return Choice("offline", f"W&B: offline, {why}; {_CHANGE}")
