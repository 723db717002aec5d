"""Where a run's numbers come from: code, versions, machine."""

import functools
import hashlib
import importlib.metadata
import os
import platform
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import mnist_seq

_PACKAGES = ("mnist_seq", "torch", "numpy", "hydra-core", "wandb")


@functools.cache
def describe() -> dict[str, Any]:
    """Code, versions and host, for run.json."""
    return {
        "code": code(),
        "versions": {"python": platform.python_version(), **_versions()},
        "host": {
            "name": socket.gethostname(),
            "system": platform.platform(),
            "cpu": _cpu(),
            "cores": len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else os.cpu_count(),
        },
    }


@functools.cache
def code() -> dict[str, Any]:
    """Version, git commit, dirty flag and content hash of this package.

    `commit` is "" outside a checkout. `hash` is over the rooms that a run's numbers come from: two
    runs with equal hashes ran the same code, whatever was committed between them.
    """
    root = Path(mnist_seq.__file__).resolve().parent.parent
    commit, dirty = "", False
    if (root / ".git").exists():
        commit = _git(root, "rev-parse", "HEAD")
        dirty = bool(
            _git(root, "status", "--porcelain", "--", "mnist_seq", "conf", "hydra_plugins")
        )
    return {
        "version": mnist_seq.__version__,
        "commit": commit,
        "is_dirty": dirty,
        "hash": _content_hash(root / "mnist_seq"),
    }


def _content_hash(package: Path) -> str:
    digest = hashlib.sha256()
    for room in ("config", "data", "models", "training"):
        for path in sorted((package / room).rglob("*.py")):
            digest.update(f"{path.relative_to(package)}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _git(root: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _versions() -> dict[str, str]:
    versions = {}
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
