"""Takes features away from the Python of a Linux machine, as another system lacks them.

The environment variable WITHOUT names them, with commas; "windows" and "macos" are sets of them.
Only what is visible to Python goes: files, line ends and paths stay those of Linux.
"""

import contextlib
import os
import pathlib
import signal
import sys
import types
import warnings
from collections.abc import Iterator
from typing import Any

SETS = {
    "windows": [
        "fcntl", "resource", "termios", "proc", "diropen", "forkserver", "terminate",
        "inuse", "console",
        "os.fork", "os.setsid", "os.getsid", "os.setpgid", "os.killpg", "os.pread", "os.sysconf",
        "os.sched_getaffinity", "os.setpriority", "os.nice", "os.getloadavg", "os.getuid",
        "os.fchmod", "os.mkfifo", "os.O_NOFOLLOW",
        "signal.SIGHUP", "signal.SIGKILL", "signal.SIGUSR1", "signal.SIGUSR2", "signal.SIGALRM",
        "signal.pthread_sigmask", "signal.pthread_kill",
    ],
    "macos": [
        "proc", "forkserver", "rss", "os.sched_getaffinity", "os.O_DIRECT",
    ],
}  # fmt: skip

wanted = [name for name in os.environ.get("WITHOUT", "").split(",") if name]
features = [each for name in wanted for each in SETS.get(name, [name])]


def hidden(path: object) -> bool:
    return str(path).startswith(("/proc/", "/sys/"))


def without_proc() -> None:
    """Linux's own folders cannot be read by way of `pathlib`, as our code reads them."""
    for name in ("read_text", "write_text", "read_bytes", "iterdir"):
        real = getattr(pathlib.Path, name)

        def refuse(self: pathlib.Path, *args: Any, real: Any = real, **keys: Any) -> Any:
            if hidden(self):
                raise FileNotFoundError(2, "No such file or directory", str(self))
            return real(self, *args, **keys)

        setattr(pathlib.Path, name, refuse)


def without_diropen() -> None:
    """A folder cannot be opened."""
    real = os.open

    def refuse(path: Any, flags: int, *args: Any, **keys: Any) -> int:
        caller = sys._getframe(1).f_code.co_filename
        if "mnist_seq" in caller and "site-packages" not in caller and os.path.isdir(path):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, flags, *args, **keys)

    os.open = refuse


def without_inuse() -> None:
    """A file that a process has open is neither removed nor renamed, nor is a folder around it."""
    import shutil

    shutil._use_fd_functions = False  # type: ignore[attr-defined]
    processes, links = os.listdir, os.readlink

    def open_files() -> Iterator[str]:
        for pid in filter(str.isdecimal, processes("/proc")):
            with contextlib.suppress(OSError):
                for fd in processes(f"/proc/{pid}/fd"):
                    with contextlib.suppress(FileNotFoundError):
                        yield links(f"/proc/{pid}/fd/{fd}")

    def check(path: Any) -> None:
        whole = os.path.abspath(os.fspath(path))
        if any(found == whole or found.startswith(f"{whole}/") for found in list(open_files())):
            raise InUse(13, "The process cannot access the file", whole)

    def checked(real: Any, num: int) -> Any:
        def call(*args: Any, **keys: Any) -> Any:
            for path in args[:num]:
                check(path)
            return real(*args, **keys)

        return call

    os.unlink = os.remove = checked(os.unlink, 1)
    os.rmdir = checked(os.rmdir, 1)
    os.rename, os.replace = checked(os.rename, 2), checked(os.replace, 2)


class InUse(PermissionError):
    """What Windows raises for a file that a process has open; the standard library drops others."""

    winerror = 32


def without_console() -> None:
    """The standard streams write to the console that they began with, wherever 1 and 2 lead."""
    import io

    class Console(io.FileIO):
        def __init__(self, fd: int) -> None:
            super().__init__(fd, "w", closefd=False)
            self._began = os.fstat(fd)

        def write(self, content: Any) -> int:
            if not os.path.samestat(os.fstat(self.fileno()), self._began):
                raise OSError(9, "The handle is invalid")
            return super().write(content)

    for name, fd in (("stdout", 1), ("stderr", 2)):
        raw = io.BufferedWriter(Console(fd))
        stream = io.TextIOWrapper(raw, encoding="utf-8", line_buffering=True)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def without_terminate() -> None:
    """A process that is sent SIGTERM by another one ends at once."""
    import multiprocessing.popen_fork
    import subprocess

    import psutil

    kill = os.kill

    def end(process: Any) -> None:
        with contextlib.suppress(ProcessLookupError):
            kill(process.pid, 9)

    psutil.Process.kill = end
    for popen in (multiprocessing.popen_fork.Popen, subprocess.Popen):
        popen.terminate = popen.kill = end
    os.kill = lambda pid, signum: kill(pid, 9 if signum == signal.SIGTERM else signum)


def without_forkserver() -> None:
    import multiprocessing
    import multiprocessing.context

    real = multiprocessing.get_context

    def refuse(method: str | None = None) -> Any:
        if method in ("fork", "forkserver"):
            raise ValueError(f"cannot find context for {method!r}")
        return real(method or "spawn")

    multiprocessing.get_context = refuse
    multiprocessing.set_start_method("spawn")
    del multiprocessing.context.ForkServerContext
    os.environ["MNIST_SEQ_START"] = "spawn"  # the platform is still called "linux"


def without_encoding() -> None:
    """A text file of ours is opened with the encoding of the locale: an error."""
    warnings.filterwarnings("error", category=EncodingWarning, module="mnist_seq|hydra_plugins")


def without_rss() -> None:
    """macOS: the largest memory is in bytes."""
    import resource

    real = resource.getrusage
    resource.getrusage = lambda who: types.SimpleNamespace(ru_maxrss=real(who).ru_maxrss * 1024)


if "os.getuid" in features:
    os.environ.setdefault("USERNAME", "student")  # who Windows says it is
if features:
    # the standard library and these two choose what to use when they are imported
    import filelock  # noqa: F401
    import psutil  # noqa: F401

    for name in features:  # before `multiprocessing` looks
        if name in ("signal.pthread_sigmask", "signal.pthread_kill"):
            delattr(signal, name.partition(".")[2])
    import concurrent.futures  # noqa: F401
    import tempfile  # noqa: F401

    for name in features:
        room, _, what = name.partition(".")
        if room in ("os", "signal") and what:
            holder = {"os": os, "signal": signal}[room]
            if hasattr(holder, what):
                delattr(holder, what)
        elif f"without_{name}" in globals():
            globals()[f"without_{name}"]()
    for name in features:
        if name in ("fcntl", "resource", "termios"):
            sys.modules[name] = None  # type: ignore[assignment]
