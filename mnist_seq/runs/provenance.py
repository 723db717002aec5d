"""Where a run's numbers come from: code, versions, machine."""

import functools
import hashlib
import importlib.metadata
import os
import platform
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import mnist_seq

_PACKAGES = ("mnist_seq", "torch", "numpy", "hydra-core", "wandb")
_ROOMS = ("config", "tasks", "models", "training")  # that a run's numbers come from


def describe(cell: str) -> dict[str, Any]:
    """Code, versions and host, for the run.json of a cell's run."""
    hashes = {"shared": code_hash(), "hash": code_hash(cell)}
    return {
        "code": {"version": mnist_seq.__version__, **_commit(), **hashes},
        "versions": _versions(),
        "host": host(),
    }


@functools.cache
def host() -> dict[str, Any]:
    """This machine."""
    return {
        "name": socket.gethostname(),
        "system": platform.platform(),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
    }


@functools.cache
def code_hash(cell: str = "") -> str:
    """SHA-256 (hex) over the code that the numbers of a cell's runs come from.

    Two runs with equal hashes ran the same code, whatever was committed between them. Of the cells'
    files it reads the cell's own and what that one imports: a cell that is added later makes no
    older run stale. Without a cell it is over the code that all cells share.
    """
    digest = hashlib.sha256(_shared_code())
    to_read, seen = [cell] * bool(cell), set()
    while to_read:
        path = _cells() / f"{to_read.pop()}.py"
        if path in seen or not path.exists():
            continue
        seen.add(path)
        _add(digest, path)
        to_read += sorted(re.findall(r"mnist_seq\.models\.cells\.(\w+)", path.read_text()))
    return digest.hexdigest()


@functools.cache
def _shared_code() -> bytes:
    digest = hashlib.sha256()
    for room in _ROOMS:
        for path in sorted((_root() / "mnist_seq" / room).rglob("*.py")):
            if path.parent != _cells() or path.name == "__init__.py":
                _add(digest, path)
    return digest.digest()


def _add(digest: "hashlib._Hash", path: Path) -> None:
    digest.update(f"{path.relative_to(_root())}\0".encode())
    digest.update(path.read_bytes())


def _cells() -> Path:
    return _root() / "mnist_seq" / "models" / "cells"


def remember() -> None:
    """Find out all that `describe` says of any cell now: what is imported, not what comes later."""
    for path in _cells().glob("*.py"):
        describe(path.stem)


@functools.cache
def _commit() -> dict[str, Any]:
    """Git commit, "" outside a checkout, and whether something was changed since."""
    root = _root()
    if not (root / ".git").exists():
        return {"commit": "", "is_dirty": False}
    changed = _git(root, "status", "--porcelain", "--", "mnist_seq", "conf", "hydra_plugins")
    return {"commit": _git(root, "rev-parse", "HEAD"), "is_dirty": bool(changed)}


@functools.cache
def _root() -> Path:
    return Path(mnist_seq.__file__).resolve().parent.parent


def _git(root: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


@functools.cache
def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = mnist_seq.__version__ if name == "mnist_seq" else ""
    if "torch" in sys.modules:  # the build ("+cpu") that the metadata may leave out
        versions["torch"] = str(sys.modules["torch"].__version__)
    return versions


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")), "")
