"""Compiles the C++ of this room for this machine, once, into the user's cache folder."""

import contextlib
import hashlib
import importlib.util
import logging
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from filelock import FileLock

from mnist_seq.system import cache_folder, cpu_name, cpuinfo, kill_group, own_group

SOURCE = Path(__file__).parent / "source"

# Every ARM of 64 bits has NEON. Apple's clang chooses the Mac's CPU by itself, and before version
# 15 it refuses -march=native.
IS_ARM = platform.machine().lower() in ("arm64", "aarch64")

# Kinds of vectors -> how a compiler is told. Tests build all that the machine has.
KINDS = {
    "native": [] if IS_ARM else ["-march=native"],
    "neon": [],
    "avx512": ["-march=x86-64-v4"],
    "avx2": ["-march=x86-64-v3"],
    "plain": ["-march=x86-64"],
}

# Never -ffast-math: it removes the rounding in `exp_parts`, and outputs are 25 % wrong. Products
# and sums are fused only where vectors.h says so (-ffp-contract=off): the bits are then the same
# for every compiler. The other two let the compiler use vectors for square roots and selections.
FLAGS = [
    "-std=c++17", "-O3", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math",
    "-fno-exceptions", "-fno-rtti", "-fvisibility=hidden", "-fPIC", "-shared", "-pthread",
]  # fmt: skip

log = logging.getLogger(__name__)

LIMIT_S = 300.0  # for a compiler, which needs 4 to 60 seconds; one that hangs is ended then


class Unavailable(Exception):
    """There is no native step on this machine; the message is one line that says why."""


def build(kind: str = "native", compiler: list[str] | None = None) -> Path:
    """The compiled library, from the cache or compiled now. One process compiles, others wait.

    Args:
        kind: a key of `KINDS`.
        compiler: its command; None takes the first of `find_compiler`.

    Raises:
        Unavailable: there is no compiler, it fails, or there is no folder for the library.
    """
    compiler = compiler or find_compiler()
    command = [*compiler, *FLAGS, *KINDS[kind]]
    name = _digest(*command, _run([*compiler, "--version"])[1], _cpu())
    try:
        path = cache_folder() / "native" / f"{name}.so"
    except RuntimeError as error:  # a user without a home folder
        raise Unavailable(f"{error} Set MNIST_SEQ_CACHE to a folder of your own") from error
    try:
        _check_owner(path.parent)
        if _is_whole(path):
            return path
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with FileLock(path.with_suffix(".lock")):
            if not _is_whole(path):
                _compile(command, path)
    except OSError as error:
        raise Unavailable(
            f"the folder of compiled libraries cannot be written: {path.parent}: "
            f"{error.strerror or error}; set MNIST_SEQ_CACHE to another one"
        ) from error
    return path


def _check_owner(folder: Path) -> None:
    """A library that another user has put there would run as this one."""
    if not hasattr(os, "getuid") or not folder.exists():  # as on Windows
        return
    found = folder.stat()
    if found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise Unavailable(
            f"others can write to the folder of compiled libraries: {folder}; set MNIST_SEQ_CACHE "
            "to a folder of your own"
        )


def find_compiler() -> list[str]:
    """The command of a C++ compiler.

    Raises:
        Unavailable: there is none, or CXX names none.
    """
    if own := os.environ.get("CXX", "").strip():
        with contextlib.suppress(ValueError):  # a quotation that does not end
            if shutil.which((command := shlex.split(own))[0]):
                return command
        raise Unavailable(f"CXX names no program: CXX={own}; correct it, or unset CXX")
    for name in ("c++", "g++", "clang++"):
        if shutil.which(name):
            return [name]
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "c++"]
    raise Unavailable(
        "no C++ compiler (c++, g++, clang++); with one, training on a CPU is several times faster: "
        "pip install 'mnist_seq[native]' brings one"
    )


def _compile(command: list[str], path: Path) -> None:
    log.info("Compiling steps for this CPU, once, with %s", " ".join(command[: -len(FLAGS) - 1]))
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder) / path.name
        sources = [str(source) for source in sorted(SOURCE.glob("*.cpp"))]
        status, said = _run([*command, "-o", str(made), *sources])
        if status or not made.exists():
            why = _reason(said) or f"it ended with status {status}"
            raise Unavailable(f"{command[0]} could not compile the native step: {why}")
        _sum_file(path).write_text(_sum(made), encoding="utf-8")
        made.replace(path)


def _run(command: list[str]) -> tuple[int, str]:
    """The exit status of a compiler, and all that it says.

    Its words go to a file: a pipe would be open for as long as the programs run that it started.

    Raises:
        Unavailable: it cannot be started, or does not end.
    """
    try:
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, **own_group()
            )
            try:
                status = process.wait(LIMIT_S)
            finally:  # also after Ctrl-C
                if process.poll() is None:
                    kill_group(process.pid)
                    process.wait()
            said.seek(0)
            return status, said.read().decode(errors="replace")
    except OSError as error:
        why = error.strerror or error
        raise Unavailable(f"the C++ compiler cannot be started: {command[0]}: {why}") from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable(
            f"the C++ compiler did not end within {LIMIT_S:g} s: {command[0]}"
        ) from error


def _reason(said: str) -> str:
    """The line that says most of why a compiler has failed; the linker's last one says nothing."""
    lines = [line.strip() for line in said.splitlines() if "ld returned" not in line]
    lines = [line for line in lines if line]
    return next((line for line in lines if "error" in line), lines[-1] if lines else "")[:200]


def _is_whole(path: Path) -> bool:
    """Whether a library has all its bytes: loading one that lacks some ends the process."""
    try:
        return _sum_file(path).read_text(encoding="utf-8") == _sum(path)
    except OSError:
        return False


def _sum_file(path: Path) -> Path:
    return path.with_suffix(".sha256")


def _sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _cpu() -> str:
    return cpu_name() + cpuinfo("flags", "Features")


def _digest(*words: str) -> str:
    """A name for a library: of everything that its bytes depend on."""
    digest = hashlib.sha256("\0".join((*words, platform.machine())).encode())
    for path in sorted(SOURCE.iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:24]
