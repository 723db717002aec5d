"""Compiles the C++ of this room for this machine, once, into the user's cache folder."""

import hashlib
import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from filelock import FileLock

from mnist_seq.system import cache_folder, cpu_name, cpuinfo

SOURCE = Path(__file__).parent / "source"

# Kinds of vectors -> how a compiler is told. Tests build all that the machine has.
KINDS = {
    "native": ["-march=native"],
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


class Unavailable(Exception):
    """There is no native step on this machine; the message is one line that says why."""


def build(kind: str = "native", compiler: list[str] | None = None) -> Path:
    """The compiled library, from the cache or compiled now. One process compiles, others wait.

    Args:
        kind: a key of `KINDS`.
        compiler: its command; None takes the first of `find_compiler`.

    Raises:
        Unavailable: there is no compiler, or it fails.
    """
    command = [*(compiler or find_compiler()), *FLAGS, *KINDS[kind]]
    name = _digest(*command, _version(command[: -len(FLAGS) - len(KINDS[kind])]), _cpu())
    path = cache_folder() / "native" / f"{name}.so"
    _check_owner(path.parent)
    if _is_whole(path):
        return path
    try:
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
    if sys.platform == "win32" or not folder.exists():
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
        Unavailable: there is none.
    """
    for words in (os.environ.get("CXX", ""), "c++", "g++", "clang++"):
        command = shlex.split(words)
        if command and shutil.which(command[0]):
            return command
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "c++"]
    raise Unavailable(
        "no C++ compiler (c++, g++, clang++); with one, training on a CPU is several times faster: "
        "pip install 'mnist_seq[native]' brings one"
    )


def _compile(command: list[str], path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder) / path.name
        words = [*command, "-o", str(made), str(SOURCE / "net.cpp")]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode or not made.exists():
            lines = [line for line in done.stderr.splitlines() if "error" in line] or ["no message"]
            raise Unavailable(f"{command[0]} could not compile the native step: {lines[0][:200]}")
        _sum_file(path).write_text(_sum(made), encoding="utf-8")
        made.replace(path)


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


def _version(command: list[str]) -> str:
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
    return done.stdout


def _cpu() -> str:
    return cpu_name() + cpuinfo("flags", "Features")


def _digest(*words: str) -> str:
    """A name for a library: of everything that its bytes depend on."""
    digest = hashlib.sha256("\0".join((*words, platform.machine())).encode())
    for path in sorted(SOURCE.iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:24]
