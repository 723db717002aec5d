"""Describes where a run's numbers come from: code, versions, machine."""

import functools
import importlib.metadata
import os
import platform
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import mnist_seq
from mnist_seq import system
from mnist_seq.config import Config
from mnist_seq.runs import code_identity

AT_ONCE = "MNIST_SEQ_AT_ONCE"  # environment variable of a sweep's jobs: how many train at once
_PACKAGES = ("mnist_seq", "torch", "numpy", "hydra-core", "wandb")


def describe(config: Config) -> dict[str, Any]:
    """Code, versions and host, for a run's run.json."""
    code = {"version": mnist_seq.__version__, **_commit(), **code_identity.describe(config)}
    return {
        "code": code,
        "versions": _versions(),
        "host": host(),
        "beside": beside(),
    }


def beside() -> dict[str, Any]:
    """What else this machine does now: seconds of runs compare only where it is the same.

    Returns:
        "at_once": most runs (or stacks) of this sweep that train at once here, 1 for a run alone;
        None where the jobs are spread over machines. "load": the load average of the last minute,
        this process included; None where the system has none.
    """
    at_once = os.environ.get(AT_ONCE, "1")
    load = system.load()
    return {
        "at_once": int(at_once) if at_once.isdecimal() else None,
        "load": None if load is None else round(load, 2),
    }


@functools.cache
def host() -> dict[str, Any]:
    """This machine."""
    return {
        "name": socket.gethostname(),
        "system": platform.platform(),
        "cpu": system.cpu_name(),
        "cores": system.cores(),
    }


def commit() -> str:
    """The commit of this code; "" outside a checkout."""
    return str(_commit()["commit"])


def remember() -> None:
    """Find out all that `describe` says of any run now: what is imported, not what comes later."""
    host(), _commit(), _versions()
    code_identity.remember()


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
            ["git", "-C", str(root), *words], capture_output=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode(errors="replace").strip()


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
