"""The wandb package: how it is imported, kept quiet and kept to its place."""

import contextlib
import importlib
import json
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

_MODE = "WANDB_MODE"
_SERVICE = "WANDB_SERVICE"
_FOLDERS = ("WANDB_DATA_DIR", "WANDB_CACHE_DIR")  # staged files of tables; logs of the service
_TELEMETRY = "WANDB_ERROR_REPORTING"
_AGENTS = ("WANDB_RUN_ID", "WANDB_SWEEP_ID")
_OWN = (_MODE, _TELEMETRY, *_FOLDERS, *_AGENTS)
_MONITOR = "monitor:"  # of what wandb's service says of the machine, apart from the runs

log = logging.getLogger("mnist_seq.tracking")
_lock = threading.Lock()
_is_started = False


def environment(home: Path, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment that a process needs before it imports wandb.

    - wandb's own telemetry is off: it would call home even from offline runs, and hold up the end
      of a process by 10 s where nobody answers.
    - A service that a parent process left there is not used: it may have died.
    - What wandb keeps in the user's home goes below `home`, unless the user has said where: a home
      that cannot be written to is no matter then.
    - A W&B agent's parameters are in the run's config already, as our keys; its model=lstm would
      take the place of all that `model` holds.
    - An empty variable of wandb's means none, where wandb would refuse it.
    - The package is found, however this process found it; wandb's warnings are wandb's own.

    Args:
        home: the sweep's folder, or that of a run of its own.
        given: the environment to start from; this process's.
    """
    values = {
        k: v for k, v in (os.environ if given is None else given).items() if v or "WANDB" not in k
    }
    for name in (_SERVICE, "PYTHONWARNINGS", "WANDB_SWEEP_PARAM_PATH"):
        values.pop(name, None)
    values.setdefault(_TELEMETRY, "false")
    for name in _FOLDERS:
        values.setdefault(name, str(home / "wandb" / "local"))
    package = str(Path(__file__).resolve().parents[3])
    paths = [package, *filter(None, values.get("PYTHONPATH", "").split(os.pathsep))]
    values["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    return values


def forget_agent(environment: MutableMapping[str, str]) -> None:
    """Let runs have ids of their own: wandb gives all of them the one that an agent has made."""
    for name in _AGENTS:
        environment.pop(name, None)


def remove_empty_staging(home: Path) -> None:
    """Remove the empty folders that wandb leaves for each table, where they are all this home's."""
    for folder in (home / "wandb" / "local" / "artifacts" / "staging").glob("tmp*"):
        with contextlib.suppress(OSError):  # what a replay needs lies in it
            folder.rmdir()


def own_temporary_folder() -> "tempfile.TemporaryDirectory[str]":
    """Let this process's temporary files lie in a folder that goes with it, or by `cleanup()`.

    wandb puts the pictures of all runs among them, and an empty folder for each run that it reads.
    """
    folder = tempfile.TemporaryDirectory(prefix="mnist_seq-", ignore_cleanup_errors=True)
    tempfile.tempdir = folder.name
    return folder


def load() -> Any:
    """The wandb module, silent, with this process's service running."""
    with _lock:
        is_first = "wandb" not in sys.modules
        if is_first:
            _prepare_pictures()
        wandb = importlib.import_module("wandb")
        if is_first:
            threading.excepthook = _hushed(threading.excepthook)
        if not _is_started:
            _start(wandb)
    return wandb


def _prepare_pictures() -> None:
    """Load Pillow and its formats, for wandb loads it lazily when a first picture is drawn.

    Two threads that draw their first pictures at once run the module twice then, and the formats
    are registered with the copy that nobody sees: "unknown file extension: .png".
    """
    with contextlib.suppress(ImportError):
        importlib.import_module("PIL.Image").preinit()


def _start(wandb: Any) -> None:
    global _is_started
    with _without_mode():
        wandb.setup(wandb.Settings(silent=True))
    _is_started = True


@contextlib.contextmanager
def _without_mode() -> Iterator[None]:
    """Keep WANDB_MODE from wandb, since the mode is chosen here.

    wandb refuses a value that it does not know, and all credentials where it says offline.
    """
    given = os.environ.pop(_MODE, None)
    try:
        yield
    finally:
        if given is not None:
            os.environ[_MODE] = given


def _hushed(hook: Callable[[Any], object]) -> Callable[[Any], object]:
    """Threads of wandb's whose run or service is given up end with an error, which is no matter."""

    def hushed(args: Any) -> None:
        if args.exc_type.__module__.startswith("wandb."):
            log.debug("a thread of W&B's ended: %s", args.exc_value)
            return
        hook(args)

    return hushed


def restart(*, is_offline: bool = False) -> None:
    """Give up this process's service, and with it the ids of runs that did not get through.

    A run that failed to open keeps its id in use until then.

    Args:
        is_offline: without the user's variables of wandb's, which files need not: one that wandb
            refuses (a key that ends with a blank, an address that is none) keeps it from starting.
    """
    global _is_started
    with _lock:
        wandb = importlib.import_module("wandb")
        try:
            wandb.teardown(exit_code=1)  # what is still open there has not ended well
        except (Exception, SystemExit) as error:  # it may have died, which is no matter now
            log.debug("W&B's service did not end well: %s", reason(error))
        os.environ.pop(_SERVICE, None)
        for name in [n for n in os.environ if is_offline and n.startswith("WANDB_")]:
            if name not in _OWN:
                del os.environ[name]
        _is_started = False
        _start(wandb)


def lacks_credentials() -> bool:
    """Whether no credentials can be configured: said at once, for the import of wandb takes 0.6 s.

    Where there is anything that may hold some, the answer is False, and `has_credentials` knows.

    Source: the order in which `wandb.login` says that it looks.
    """
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return False
    netrc = os.environ.get("NETRC")
    config = os.environ.get("WANDB_CONFIG_DIR", "~/.config/wandb")
    places = [
        *([netrc] if netrc else ["~/.netrc", "~/_netrc"]),
        f"{config}/settings",
        *(f"{os.environ.get('WANDB_DIR', '.')}/{name}/settings" for name in ("wandb", ".wandb")),
        "secrets.env",  # SageMaker's
    ]
    return not any(os.path.exists(os.path.expanduser(place)) for place in places)


def has_credentials(*, verify: bool) -> bool:
    """Whether an API key or token is configured. Never asks the user.

    Args:
        verify: ask the server too, once a process. Where it does not answer this takes 10 s.

    Raises:
        wandb.errors.AuthenticationError: the credentials have an impossible form or do not work.
    """
    # login(key=...) would write the key to ~/.netrc
    return bool(load().login(prompt=False, verify=verify))


def reason(error: BaseException) -> str:
    """What went wrong in one line, without the API key, whatever wandb put into its message."""
    return f"{type(error).__name__}: {_line(str(error)) or 'no message'}"


def _line(text: str) -> str:
    line = " ".join(text.split())
    if key := os.environ.get("WANDB_API_KEY"):
        line = line.replace(key, "***")
    return line[:300]


def fault_in(log_path: Path, run_id: str = "") -> str:
    """The last error that wandb's service met in a run, or "".

    finish() returns normally where the server refused the data (403); only this log tells. What a
    retry mended is no error there, and a look at the machine's load that failed is no data.

    Args:
        run_id: of a log of several runs, the one that is meant.
    """
    found = ""
    try:
        lines = log_path.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        if '"level":"ERROR' in line and run_id in line:  # ERROR+4 is fatal
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if not str(record.get("msg", "")).startswith(_MONITOR):
                found = f"{record.get('msg', '')} {record.get('error', '')}"
    return _line(found)
