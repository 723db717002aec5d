"""Chooses between online and offline, once a sweep, within seconds, without asking the user."""

import os
import queue
import threading
from dataclasses import dataclass
from typing import Literal

from mnist_seq.tracking.wandb import package
from mnist_seq.tracking.wandb.settings import Settings

Mode = Literal["online", "offline", "disabled"]

PROBE_SECONDS = 4.5  # that the server gets to confirm the credentials
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
    """A mode, and the line that tells the user.

    Attributes:
        is_final: False where the server failed: it may answer later.
    """

    mode: Mode
    notice: str
    is_final: bool = True


_lock = threading.Lock()
_remembered: Choice | None = None
_failure = ""  # why online has failed in this process


def choose_mode(settings: Settings) -> Choice:
    """Choose the mode.

    Only `mode=auto` with credentials and without WANDB_MODE asks the server, for 5 s at most.
    Nothing asks the user, and nothing raises.
    """
    if settings.mode != "auto":
        return Choice(settings.mode, f"W&B: {settings.mode}, by tracker.mode; {_CHANGE}")
    if found := _from_environment():
        return found
    if package.lacks_credentials():
        return _offline(_NO_CREDENTIALS)
    return _probe()


def _from_environment() -> Choice | None:
    """The mode that the environment asks for. WANDB_DISABLED is an old name that others use."""
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


def current_choice(settings: Settings) -> tuple[Choice, bool]:
    """The choice that holds in this process, and whether it is new and must be announced."""
    global _remembered
    if settings.mode in ("offline", "disabled"):
        return choose_mode(settings), False
    with _lock:
        if package.is_cut_off():
            return _offline("since wandb started only without the WANDB_ variables"), False
        if _failure:
            return Choice("offline", f"W&B: offline, since online failed before: {_failure}"), False
        if settings.mode == "online":
            return choose_mode(settings), False
        if _remembered is None:
            _remembered = choose_mode(settings)
            return _remembered, True
        return _remembered, False


def is_disabled(settings: Settings) -> bool:
    """Whether nothing is mirrored. Does not ask the server."""
    if settings.mode == "auto" and (found := _from_environment()):
        return found.mode == "disabled"
    return settings.mode == "disabled"


def may_be_online(settings: Settings) -> bool:
    """Whether runs are meant for the server. Does not ask it."""
    if settings.mode != "auto":
        return settings.mode == "online"
    found = _from_environment()
    return not package.lacks_credentials() if found is None else found.mode == "online"


def remember_failure(reason: str) -> None:
    """Online failed: later runs of this process go offline at once."""
    global _failure
    _failure = reason


def forget_failure() -> None:
    """The server answers again: later runs of this process go online."""
    global _failure, _remembered
    with _lock:
        _failure = ""
        if _remembered is not None and not _remembered.is_final:
            _remembered = Choice("online", f"W&B: online, the server answers; {_CHANGE}")


def failure() -> str:
    """Why online failed in this process, or ""."""
    return _failure


def _probe() -> Choice:
    try:
        package.load()  # before the clock starts: its import is slow on a busy machine
    except Exception as error:
        return _offline(f"wandb does not start ({package.reason(error)})")
    answers: queue.SimpleQueue[Choice] = queue.SimpleQueue()
    # On a thread, since login() waits 10 s or more for a server that does not answer
    threading.Thread(
        target=lambda: answers.put(_verified()), name="wandb-login", daemon=True
    ).start()
    try:
        return answers.get(timeout=PROBE_SECONDS)
    except queue.Empty:
        return _offline(f"the server did not answer within {PROBE_SECONDS:g} s", is_final=False)


def _verified() -> Choice:
    try:
        if not package.has_credentials(verify=True):
            return _offline(_NO_CREDENTIALS)
    except Exception as error:  # of many types
        why = f"credentials did not work ({package.reason(error)})"
        return _offline(why, is_final=False)  # also where the server does not answer
    return Choice("online", f"W&B: online, credentials verified; {_CHANGE}")


def _offline(why: str, *, is_final: bool = True) -> Choice:
    later = "" if is_final else ", and W&B is asked again later"
    return Choice("offline", f"W&B: offline, {why}{later}; {_CHANGE}", is_final)
