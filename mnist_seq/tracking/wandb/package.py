"""Imports the wandb package, keeps it quiet, and keeps its files and settings apart."""

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

from mnist_seq.runs import files
from mnist_seq.runs.errors import OutsideFolder
from mnist_seq.runs.text import cut, one_line

_MODE = "WANDB_MODE"
_SERVICE = "WANDB_SERVICE"
_FOLDERS = ("WANDB_DATA_DIR", "WANDB_CACHE_DIR")  # staged tables; logs of its service
_TELEMETRY = "WANDB_ERROR_REPORTING"
_AGENTS = ("WANDB_RUN_ID", "WANDB_SWEEP_ID")
_OWN = (_MODE, _TELEMETRY, *_FOLDERS, *_AGENTS)
_MONITOR = "monitor:"  # starts log lines about the machine's load

log = logging.getLogger("mnist_seq.tracking")
_lock = threading.Lock()
_is_started = False
_is_cut_off = False
_num_restarts = 0


def environment(home: Path, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment that a process needs before it imports wandb.

    - wandb's telemetry is off. It would call home even from offline runs, and delay the end of a
      process by 10 s where nobody answers.
    - The service of a parent process is not used: it may have died.
    - Files that wandb keeps in the user's home go below `home`, unless the user set another place.
      A home directory that cannot be written to is then no problem.
    - The parameters of a W&B agent are removed. They are in the run's config already, and wandb
      would replace the whole group `model` by the agent's model=lstm.
    - WANDB_RESUME is removed, since runs are always resumed, and empty variables of wandb's, since
      wandb refuses them.
    - PYTHONPATH holds this package, and PYTHONWARNINGS is removed: wandb's warnings are not ours.

    Args:
        home: the sweep's folder, or the run's where it belongs to no sweep.
        given: the environment to start from; by default that of this process.
    """
    values = {
        k: v for k, v in (os.environ if given is None else given).items() if v or "WANDB" not in k
    }
    for name in (_SERVICE, "PYTHONWARNINGS", "WANDB_SWEEP_PARAM_PATH", "WANDB_RESUME"):
        values.pop(name, None)
    values.setdefault(_TELEMETRY, "false")
    for name in _FOLDERS:
        values.setdefault(name, str(home / "wandb" / "local"))
    package = str(Path(__file__).resolve().parents[3])
    paths = [package, *filter(None, values.get("PYTHONPATH", "").split(os.pathsep))]
    values["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    return values


def use_environment(home: Path) -> None:
    """Make the environment of this process the one that `environment` describes."""
    values = environment(home)
    for name in os.environ.keys() - values.keys():
        if name != "PYTHONWARNINGS":
            del os.environ[name]
    os.environ.update(values)


def forget_agent(environment: MutableMapping[str, str]) -> None:
    """Remove the run id that a W&B agent set: wandb would give it to every run of the process."""
    for name in _AGENTS:
        environment.pop(name, None)


def remove_empty_staging(home: Path) -> None:
    """Remove the empty folders that wandb leaves below `home` for each table; follow no link."""
    with contextlib.suppress(OutsideFolder):
        staging = files.inside(home, "wandb", "local", "artifacts", "staging")
        for folder in staging.glob("tmp*"):
            with contextlib.suppress(OSError):  # not empty: a replay needs its files
                folder.rmdir()


def own_temporary_folder() -> "tempfile.TemporaryDirectory[str]":
    """Give this process a temporary folder of its own, removed at its end or by `cleanup()`.

    wandb writes the pictures of all runs there, and an empty folder for each run that it reads.
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
            threading.excepthook = _quiet(threading.excepthook)
        if not _is_started:
            _start(wandb)
    return wandb


def _prepare_pictures() -> None:
    """Import Pillow and its formats before any thread needs them.

    wandb imports Pillow when the first picture is drawn. Two threads that do so at once run the
    module twice, and the formats are registered in the wrong copy: "unknown file extension: .png".
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
    """Hide WANDB_MODE from wandb, since `mode` chooses the mode.

    wandb refuses a value that it does not know, and reads no credentials where it says offline.
    """
    given = os.environ.pop(_MODE, None)
    try:
        yield
    finally:
        if given is not None:
            os.environ[_MODE] = given


def _quiet(hook: Callable[[Any], object]) -> Callable[[Any], object]:
    """A thread hook that ignores errors of wandb's threads, whose run or service was given up."""

    def quiet(args: Any) -> None:
        if args.exc_type.__module__.startswith("wandb."):
            log.debug("a thread of W&B's ended: %s", reason(args.exc_value))
            return
        hook(args)

    return quiet


def restart(*, is_offline: bool = False) -> None:
    """Restart wandb's service in this process.

    The old service keeps the ids of runs that failed to open.

    Args:
        is_offline: where wandb refuses one of the user's variables, such as a key that ends with a
            blank, start it without them. Offline files do not need them. From then on this process
            is cut off: without the address of the user's server, runs would go to another one.
    """
    global _is_started, _is_cut_off, _num_restarts
    with _lock:
        wandb = importlib.import_module("wandb")
        try:
            wandb.teardown(exit_code=1)  # runs that are still open count as failed
        except (Exception, SystemExit) as error:  # it may have died already
            log.debug("W&B's service did not end well: %s", reason(error))
        os.environ.pop(_SERVICE, None)
        _is_started = False
        _num_restarts += 1
        try:
            _start(wandb)
        except Exception as error:
            if not is_offline:
                raise
            log.debug("W&B's service starts without variables: %s", reason(error))
            _is_cut_off = True
            for name in [n for n in os.environ if n.startswith("WANDB_") and n not in _OWN]:
                del os.environ[name]
            _start(wandb)


def num_restarts() -> int:
    """How often this process has restarted wandb's service."""
    return _num_restarts


def is_cut_off() -> bool:
    """Whether wandb runs without the user's variables: it must not go online then."""
    return _is_cut_off


def answers(*, timeout: int) -> bool:
    """Whether the server answers now, and takes the credentials.

    Args:
        timeout: seconds that it gets.
    """
    try:
        return load().Api(timeout=timeout).viewer is not None and not _is_cut_off
    except Exception as error:  # of many types
        log.debug("W&B does not answer: %s", reason(error))
        return False


def lacks_credentials() -> bool:
    """Whether there is no place at all that could hold credentials. Needs no import of wandb.

    False does not mean that there are any: then ask `has_credentials`.

    Source: the places that the docstring of `wandb.login` lists.
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
        verify: ask the server too, once a process. This takes 10 s where it does not answer.

    Raises:
        wandb.errors.AuthenticationError: the credentials are malformed, or do not work.
    """
    # login(key=...) would write the key to ~/.netrc
    return bool(load().login(prompt=False, verify=verify))


def reason(error: BaseException) -> str:
    """An error in one line, without the API key that wandb may have put into its message."""
    return one_line(error)


def fault_in(log_path: Path, run_id: str = "") -> str:
    """The last error in a log of wandb's service, or "".

    finish() returns normally where the server refused the data (403); only this log says so. It
    lists no error that a retry repaired. Errors of the load monitor are skipped: they lose no data.

    Args:
        run_id: in a log of several runs, the run that is meant.
    """
    found = ""
    try:
        lines = log_path.read_text(encoding="utf-8", errors="replace").splitlines()
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
    return cut(found)
