"""What operating systems do differently: signals, processes, files, memory, shells.

Linux, macOS and Windows are known here and nowhere else. Where a system lacks something, a function
does the nearest thing that it has. What is there is asked, not which system this is, wherever that
can be asked.
"""

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

# Starts the processes of a pool: "forkserver", or "spawn" as on systems without it
START_VARIABLE = "MNIST_SEQ_START"

STOP_SIGNALS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # Windows lacks SIGHUP
    if hasattr(signal, name)
)

# flags of `os.open`: 0 where a system does not have one
NO_LINK: int = getattr(os, "O_NOFOLLOW", 0)
BINARY: int = getattr(os, "O_BINARY", 0)  # Windows changes line ends without it

IGNORES_CASE = sys.platform in ("win32", "darwin")  # in the names of files, by default

# characters; Windows by default, macOS, Linux
LONGEST_PATH = 259 if os.name == "nt" else 1023 if sys.platform == "darwin" else 4095

MOST_WAITED = 60 if os.name == "nt" else 1_000_000  # for at once; Windows takes 64, and Python some
WAIT_AGAIN_S = 0.02  # until more of them are asked again

REPLACE_S, REPLACE_AGAIN_S = 5.0, 0.02  # how long a file that another process reads is waited for
_IS_IN_USE = (5, 32)  # Windows' errors for a file that another process has open


def _optional(name: str) -> ModuleType | None:
    """A module of the standard library that not all systems have."""
    try:
        return __import__(name)
    except ImportError:
        return None


_fcntl, _resource = _optional("fcntl"), _optional("resource")


def start_method() -> str:
    """How the processes of a pool start.

    A fork server only on Linux: on macOS a forked child of a process that has imported torch may
    hang in Metal or Accelerate, and Windows cannot fork.
    """
    wanted = os.environ.get(START_VARIABLE, "")
    if wanted in ("forkserver", "spawn"):
        return wanted
    return "forkserver" if sys.platform == "linux" and hasattr(os, "fork") else "spawn"


def signal_this_process(signum: int) -> None:
    """Have this process treat a signal, in its main thread. May be called in any thread.

    Not `os.kill`: on Windows that ends the process at once.
    """
    ident = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and ident is not None:
        signal.pthread_kill(ident, signum)  # also wakes it from a system call
    else:
        signal.raise_signal(signum)


def leave_group() -> None:
    """Leave the process group of the command, so that Ctrl-C at its terminal is not for us."""
    if hasattr(os, "setsid"):
        os.setsid()


def let_stop_signals_through(*, are_earlier_dropped: bool) -> None:
    """Let stop signals end this process, which may have started with them blocked or ignored.

    Where it cannot leave the group of its command, only SIGTERM does: Ctrl-C is for the command.

    Args:
        are_earlier_dropped: whether those that came while they were blocked change nothing.
    """
    for signum in STOP_SIGNALS if are_earlier_dropped else ():
        signal.signal(signum, signal.SIG_IGN)
    for signum in STOP_SIGNALS if hasattr(os, "setsid") else (signal.SIGTERM,):
        signal.signal(signum, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


@contextlib.contextmanager
def stop_signals_blocked() -> Iterator[None]:
    """Delay stop signals during the block. A process that starts in it starts with them blocked."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def own_group() -> dict[str, Any]:
    """Arguments of `subprocess.Popen` that keep Ctrl-C at the terminal away from the process."""
    flag = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", None)
    return {"process_group": 0} if flag is None else {"creationflags": flag}


def kill(pid: int) -> None:
    """End a process at once, if it is there."""
    import psutil

    with contextlib.suppress(psutil.Error):
        psutil.Process(pid).kill()


def kill_group(pid: int) -> None:
    """End a process that leads its own group, and all that it has started and that is in it."""
    if hasattr(os, "killpg") and hasattr(signal, "SIGKILL"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        return
    import psutil

    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        for each in (*process.children(recursive=True), process):
            with contextlib.suppress(psutil.Error):
                each.kill()


def wait(things: Sequence[Any], *, timeout_s: float, at_once: int = MOST_WAITED) -> list[Any]:
    """`multiprocessing.connection.wait`, for any number of things also on Windows.

    Args:
        at_once: how many the system can wait for; more of them are asked in turn.

    Returns:
        Those that are ready; none when the time is over.
    """
    from multiprocessing import connection

    if len(things) <= at_once:
        return connection.wait(things, timeout_s)
    end = time.monotonic() + timeout_s
    parts = [things[i : i + at_once] for i in range(0, len(things), at_once)]
    while not (ready := [each for part in parts for each in connection.wait(part, 0)]):
        if time.monotonic() > end:
            break
        time.sleep(WAIT_AGAIN_S)
    return ready


def replace(source: str | Path, target: str | Path) -> None:
    """`os.replace`, which waits on Windows until no other process has the target open.

    Raises:
        OSError: as `os.replace`.
    """
    end = time.monotonic() + REPLACE_S
    while True:
        try:
            return os.replace(source, target)
        except PermissionError as error:
            if getattr(error, "winerror", None) not in _IS_IN_USE or time.monotonic() > end:
                raise
        time.sleep(REPLACE_AGAIN_S)


def sync_to_disk(fd: int) -> None:
    """Have the bytes of an open file on the disk when this returns."""
    full = getattr(_fcntl, "F_FULLFSYNC", None)  # macOS: fsync leaves them in the disk's cache
    if _fcntl is not None and full is not None:
        with contextlib.suppress(OSError):  # a file system that does not know it
            _fcntl.fcntl(fd, full)
            return
    os.fsync(fd)


def physical_memory() -> int:
    """Bytes of memory of this machine."""
    import psutil

    return int(psutil.virtual_memory().total)


def free_memory() -> int:
    """Bytes that this process may still allocate, by its machine and its own limit."""
    import psutil

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of counts that a container hides
        free = int(psutil.virtual_memory().available) + int(psutil.swap_memory().free)
    if _resource is not None:
        limit = _resource.getrlimit(_resource.RLIMIT_AS)[0]
        if limit != _resource.RLIM_INFINITY:
            free = min(free, limit - int(psutil.Process().memory_info().vms))
    return free


def used_memory() -> int:
    """Bytes of memory that this process has now."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def reset_peak() -> None:
    """Forget the largest memory so far, where the system can."""
    with contextlib.suppress(OSError):  # Linux only; elsewhere the peak stays too high
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


def peak_memory() -> int:
    """The most bytes of memory that this process has had, since `reset_peak` where that works."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    if _resource is not None:
        unit = 1 if sys.platform == "darwin" else 1024
        return int(_resource.getrusage(_resource.RUSAGE_SELF).ru_maxrss) * unit
    import psutil

    memory = psutil.Process().memory_info()
    return int(getattr(memory, "peak_wset", memory.rss))


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load() -> float | None:
    """Load average of the last minute; None where the system has none."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def cpu_name() -> str:
    """The model of the CPU, such as "Apple M2"."""
    import platform

    if found := cpuinfo("model name"):
        return found
    if sys.platform == "darwin":  # platform.processor() says "arm"
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            words = ["sysctl", "-n", "machdep.cpu.brand_string"]
            done = subprocess.run(words, capture_output=True, timeout=5, check=True)
            return done.stdout.decode().strip()
    return platform.processor() or platform.machine()


def cache_folder() -> Path:
    """The user's folder for what can be made again; MNIST_SEQ_CACHE names another one."""
    if own := os.environ.get("MNIST_SEQ_CACHE"):
        return Path(own).absolute()
    usual = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    return Path(
        os.environ.get("LOCALAPPDATA") or os.environ.get("XDG_CACHE_HOME") or usual, "mnist_seq"
    )


def cpuinfo(*keys: str) -> str:
    """What Linux says of the CPU under one of the keys; "" elsewhere."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(x.split(":", 1)[1].strip() for x in lines if x.startswith(keys))
    return ""


def shell_word(word: str, *, is_windows: bool = os.name == "nt") -> str:
    """A word in the quotes that a shell needs: sh, or on Windows both cmd.exe and PowerShell.

    PowerShell splits a bare word at its commas, and takes more characters as signs than cmd.exe.
    """
    if not is_windows:
        return shlex.quote(word)
    if re.fullmatch(r"[\w./:=+\\~-]+", word, re.ASCII):
        return word
    quoted = subprocess.list2cmdline([word])
    return quoted if quoted.startswith('"') else f'"{quoted}"'
