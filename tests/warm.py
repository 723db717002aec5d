"""Commands as processes of their own, without the seconds that an import of torch takes each time.

`Popen` and `run` are subprocess's, in all that a test sees: a child of this process with its own
arguments, folder, environment, standard streams, session and exit code. But `python -m module`,
`python -c code` and `python file` start as a fork of a server, which has imported what our commands
import from other packages (nothing of ours), and so does the fork server of a sweep. Whatever
cannot start so starts as it always does: another program, an environment that the interpreter or a
library reads at its start, `preexec_fn`. What a test claims of a start itself, it tries with
subprocess.

This file is also the server: `python warm.py FD`, where FD is its end of a pair of sockets.
"""

import atexit
import ctypes
import fcntl
import functools
import gc
import importlib
import inspect
import io
import json
import os
import runpy
import signal
import socket
import struct
import subprocess
import sys
import threading
import types
import warnings
from collections.abc import Sequence
from multiprocessing import util
from typing import Any, NoReturn

_LENGTH = struct.Struct("!I")
_OWN_SIGNATURE = inspect.signature(subprocess.Popen._execute_child)  # type: ignore[attr-defined]
_SUBREAPER = 36  # prctl: orphans of our descendants become our children
# Read by the interpreter, the C library or a package when it starts
_READ_AT_START = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC_", "OMP_", "MKL_", "OPENBLAS_", "KMP_",
                  "GOMP_", "CUDA_", "TORCH")  # fmt: skip
_TAKEN_OVER = ("PYTHONPATH", "PYTHONWARNINGS")
# All from other packages, and none whose absence a test asks a command for
_IMPORTED = (
    "torch", "torch.func", "torch.utils.serialization.config", "numpy", "hydra", "hydra.main",
    "hydra._internal.utils", "hydra._internal.hydra", "hydra.core.utils", "hydra.core.plugins",
    "hydra._internal.callbacks", "hydra._internal.config_loader_impl",
    "hydra._internal.core_plugins", "hydra._internal.core_plugins.basic_sweeper",
    "hydra._internal.core_plugins.basic_launcher", "hydra.core.override_parser.overrides_parser",
    "omegaconf", "pydantic", "rich.console", "rich.live", "rich.progress", "rich.table", "filelock",
    "logging.config", "multiprocessing.forkserver", "multiprocessing.connection", "scipy.stats",
    "pandas", "altair", "vl_convert",
)  # fmt: skip


class Popen(subprocess.Popen[Any]):
    """`subprocess.Popen`, whose Python commands start as forks."""

    def _execute_child(self, *args: Any, **named: Any) -> None:
        given = _OWN_SIGNATURE.bind(self, *args, **named).arguments
        if (command := _as_fork(given)) is None:
            super()._execute_child(*args, **named)  # type: ignore[misc]
            return
        names = ("p2cread", "c2pwrite", "errwrite")
        streams = [fd if given[name] == -1 else given[name] for fd, name in enumerate(names)]
        self.pid = _server().start(command, streams)
        self._child_created = True
        pipes = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(given[name] for name in pipes))  # type: ignore[attr-defined]


def run(
    args: Sequence[str],
    *,
    input: str | None = None,
    capture_output: bool = False,
    timeout: float | None = None,
    check: bool = False,
    **options: Any,
) -> subprocess.CompletedProcess[Any]:
    """`subprocess.run`, whose Python command starts as a fork."""
    if input is not None:
        options["stdin"] = subprocess.PIPE
    if capture_output:
        options["stdout"] = options["stderr"] = subprocess.PIPE
    with Popen(args, **options) as process:
        try:
            out, err = process.communicate(input, timeout=timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(args, process.returncode, out, err)
    if check:
        done.check_returncode()
    return done


def _as_fork(given: dict[str, Any]) -> dict[str, Any] | None:
    """What the server is to start; None where only a process of its own will do."""
    cwd, env = os.fspath(given["cwd"] or os.getcwd()), given["env"] or dict(os.environ)
    plain = not any(given.get(name) for name in ("preexec_fn", "pass_fds", "executable", "shell"))
    if not plain or sys.platform != "linux" or not os.path.isdir(cwd):
        return None
    paths = env.get("PYTHONPATH", "").split(os.pathsep)
    if any(os.path.exists(os.path.join(path, "sitecustomize.py")) for path in paths):
        return None
    python, *words = map(os.fspath, given["args"])
    warn = [*filter(None, env.get("PYTHONWARNINGS", "").split(","))]
    while words[:1] == ["-W"]:
        warn.append(words[1])
        words = words[2:]
    is_known = len(words) > 0 and (words[0] in ("-m", "-c") or words[0].endswith(".py"))
    if python != sys.executable or not is_known or _at_start(env) != _at_start(dict(os.environ)):
        return None
    session = bool(given.get("start_new_session"))
    return {"words": words, "warn": warn, "cwd": cwd, "env": env, "session": session}


def _at_start(env: dict[str, str]) -> dict[str, str]:
    return {k: v for k, v in env.items() if k.startswith(_READ_AT_START) and k not in _TAKEN_OVER}


class _Server:
    """A process that has torch imported, as this process sees it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair()
        env = {k: v for k, v in os.environ.items() if k not in _TAKEN_OVER}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                env=env, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
            )  # fmt: skip
        atexit.register(self.close)

    def start(self, command: dict[str, Any], streams: list[int]) -> int:
        """Start a command; the id of its process, which is a child of this one."""
        with self._lock:
            _adopt_orphans(True)
            try:
                _send(self._socket, command, streams)
                answer, _ = _receive(self._socket)
            finally:
                _adopt_orphans(False)
        return int(answer)

    def close(self) -> None:
        self._socket.close()
        self._process.wait()


@functools.cache
def _server() -> _Server:
    return _Server()


def _adopt_orphans(is_so: bool) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, int(is_so), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def _send(to: socket.socket, value: Any, fds: Sequence[int] = ()) -> None:
    content = json.dumps(value).encode()
    head = _LENGTH.pack(len(content))
    if fds:
        socket.send_fds(to, [head], list(fds))
    else:
        to.sendall(head)
    to.sendall(content)


def _receive(source: socket.socket) -> tuple[Any, list[int]]:
    """One message and the open files that came with it.

    Raises:
        EOFError: the other end is closed.
    """
    head, fds, _, _ = socket.recv_fds(source, _LENGTH.size, 3)
    if not head:
        raise EOFError
    (size,) = _LENGTH.unpack(head)
    content = b""
    while len(content) < size:
        content += source.recv(size - len(content))
    return json.loads(content), fds


# From here on: the server


def _serve(source: socket.socket) -> None:
    """Start what is asked for. Returns in each process that was started, to run its command."""
    while True:
        try:
            command, streams = _receive(source)
        except EOFError:
            os._exit(0)
        gate, ours = os.pipe()
        told, tell = os.pipe()
        if (middle := os.fork()) == 0:
            if (pid := os.fork()) == 0:
                for fd in (ours, told, tell):
                    os.close(fd)
                os.read(gate, 1)  # until this process is the child of the one that asked for it
                os.close(gate)
                source.close()
                _become(command, streams)
                return
            os.write(tell, _LENGTH.pack(pid))
            os._exit(0)
        os.waitpid(middle, 0)
        _send(source, *_LENGTH.unpack(os.read(told, _LENGTH.size)))
        for fd in (gate, ours, told, tell, *streams):
            os.close(fd)


def _become(command: dict[str, Any], streams: list[int]) -> None:
    """Make this process what the command would find itself in."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if command["session"]:
        os.setsid()
    for fd, stream in enumerate(streams):
        os.dup2(stream, fd)
        os.close(stream)
    os.chdir(command["cwd"])
    os.environ.clear()
    os.environ.update(command["env"])
    _open_streams()
    _set_warnings(command["warn"])
    sys.orig_argv = [sys.executable, *command["words"]]
    sys.argv = command["words"]
    if command["words"][:1] == ["-m"] and {"-m", "--multirun"} & {*command["words"][2:]}:
        _replace_start_of_fork_server()


def _open_streams() -> None:
    """As the interpreter opens them."""
    encoding, errors, at_once = sys.stdout.encoding, sys.stdout.errors, sys.stdout.write_through
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        raw = io.FileIO(fd, "w" if fd else "r", closefd=False)
        buffer: Any = raw if at_once and fd else io.BufferedWriter(raw) if fd else None
        stream = io.TextIOWrapper(
            buffer or io.BufferedReader(raw),
            encoding=encoding,
            errors="backslashreplace" if name == "stderr" else errors,
            line_buffering=not at_once and (name == "stderr" or os.isatty(fd)),
            write_through=at_once,
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _set_warnings(options: list[str]) -> None:
    sys.warnoptions[:] = options
    warnings.filters[:] = _FILTERS  # type: ignore[index]
    warnings._processoptions(options)  # type: ignore[attr-defined]
    warnings._filters_mutated()  # type: ignore[attr-defined]


def _replace_start_of_fork_server() -> None:
    """Let the fork server of a sweep be a fork too: of this process as it is before its command.

    It waits for what it is to run, as a child of the command, and ends with it.
    """
    ours, theirs = socket.socketpair()
    if (pid := os.fork()) == 0:
        ours.close()
        _wait_as_fork_server(theirs)
    theirs.close()
    start, control, is_taken = util.spawnv_passfds, ours.detach(), False

    def start_or_take(path: str, args: list[str], fds: Sequence[int]) -> int:
        nonlocal is_taken
        if is_taken or "multiprocessing.forkserver" not in args[-1]:
            return start(path, args, fds)
        is_taken = True
        told = {"code": args[-1], "cwd": os.getcwd(), "env": dict(os.environ), "fds": [*fds]}
        with socket.socket(fileno=control) as waiting:
            _send(waiting, told, fds)
        return pid

    util.spawnv_passfds = start_or_take


def _wait_as_fork_server(source: socket.socket) -> NoReturn:
    # as the command starts its fork server
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    os.chdir("/")
    try:
        told, fds = _receive(source)
    except EOFError:
        os._exit(0)
    os.chdir(told["cwd"])
    os.environ.clear()
    os.environ.update(told["env"])
    # The code names its files by number
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 200) for fd in fds]
    os.closerange(3, 200)
    source.detach()
    for fd, number in zip(high, told["fds"], strict=True):
        os.dup2(fd, number)
        os.close(fd)
    if threads := os.environ.get("OMP_NUM_THREADS"):  # read when torch is imported
        importlib.import_module("torch").set_num_threads(int(threads))
    raise _Command(["-c", told["code"]])


class _Command(BaseException):
    """What this process is to run, thrown to where nothing of the server is left."""

    def __init__(self, words: list[str]) -> None:
        self.words = words


def _run(words: list[str]) -> None:
    """As the interpreter runs a module, code or file."""
    kind, *rest = words
    here = {"-m": os.getcwd(), "-c": ""}.get(kind) or os.path.dirname(os.path.abspath(kind))
    added = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    added = [os.path.abspath(path) for path in added if path]
    sys.path[:] = ["" if kind == "-c" else here, *added, *_PATH]
    importlib.invalidate_caches()
    sys.modules["__main__"] = main = types.ModuleType("__main__")
    if kind == "-m":
        sys.argv = ["-m", *rest[1:]]
        runpy._run_module_as_main(rest[0])  # type: ignore[attr-defined]
    elif kind == "-c":
        sys.argv = ["-c", *rest[1:]]
        exec(compile(rest[0], "<string>", "exec"), vars(main))
    else:
        sys.argv = words
        main.__file__ = kind
        with open(kind, "rb") as file:
            code = compile(file.read(), kind, "exec")
        exec(code, vars(main))


if __name__ == "__main__":
    _FILTERS, _PATH = [*warnings.filters], sys.path[1:]
    warnings.simplefilter("error")
    for _name in _IMPORTED:
        importlib.import_module(_name)
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for those who started it
    try:
        _serve(socket.socket(fileno=int(sys.argv[1])))
        _words = sys.argv
    except _Command as _found:
        _words = _found.words
    _run(_words)
