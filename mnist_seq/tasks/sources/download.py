"""Downloads the missing files of a data set with torchvision's code, within a time limit."""

import contextlib
import http.client
import io
import queue
import shutil
import socket
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock

from mnist_seq import system
from mnist_seq.tasks.sources.idx_files import find_files
from mnist_seq.tasks.sources.published import IdxFile, Source

LOCK_NAME = ".download.lock"
_PARTIAL = ".download-"  # temporary folders in the root; complete files are moved out of them

# mirrors that did not answer in this process -> reason; the next run does not wait for them again
_unreachable: dict[tuple[str, ...], str] = {}


class DownloadFailed(ValueError):
    """A download failed; the message is the reason."""


def download_missing(source: Source, root: Path, *, patience_s: float) -> bool:
    """Put the files of `source` that `root` lacks into torchvision's layout.

    It gives up after `patience_s` seconds of waiting in total: half of them until a mirror answers,
    the rest for connections that stall later. A download that makes progress has no time limit.

    Returns:
        True if this process downloaded, False if another process did.

    Raises:
        DownloadFailed: no mirror answers, `root` cannot be written, or the transfer failed.
        AlteredFile: a file that is already there is not the published one.
    """
    deadline = time.monotonic() + patience_s
    # before the lock, so that processes that start together do not wait one after the other
    mirrors = _answering(source.mirrors, patience_s / 2)
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / LOCK_NAME):
            missing = find_files(source, root).missing
            if missing:
                _fetch(source, root, missing, mirrors, deadline)
            return bool(missing)
    except (
        OSError,
        RuntimeError,
        ImportError,
        http.client.HTTPException,
        EOFError,
        zlib.error,
    ) as e:
        raise DownloadFailed(" ".join(f"{e or type(e).__name__}".split())) from e


def _answering(mirrors: tuple[str, ...], patience_s: float) -> list[str]:
    """The mirrors that answer, in their order, as soon as one does.

    Raises:
        DownloadFailed: none answered within `patience_s` seconds.
    """
    if mirrors in _unreachable:
        raise DownloadFailed(_unreachable[mirrors])
    answers: queue.Queue[tuple[str, str]] = queue.Queue()
    for mirror in mirrors:
        # daemon threads, because a name lookup can hang for minutes and has no timeout
        threading.Thread(target=_ask, args=(mirror, patience_s, answers), daemon=True).start()
    deadline = time.monotonic() + patience_s
    reasons = dict.fromkeys(mirrors, f"no answer within {patience_s:g} s")
    for _ in mirrors:
        with contextlib.suppress(queue.Empty):
            mirror, reason = answers.get(timeout=max(0.0, deadline - time.monotonic()))
            reasons[mirror] = reason
            if not reason:
                break
    alive = [mirror for mirror in mirrors if not reasons[mirror]]
    if not alive:
        _unreachable[mirrors] = "; ".join(
            f"{urllib.parse.urlsplit(mirror).netloc}: {reason}"
            for mirror, reason in reasons.items()
        )
        raise DownloadFailed(_unreachable[mirrors])
    return alive


def _ask(mirror: str, timeout_s: float, answers: "queue.Queue[tuple[str, str]]") -> None:
    # torchvision's user agent: a mirror that accepts this request also accepts the download
    request = urllib.request.Request(
        mirror + "train-images-idx3-ubyte.gz",
        method="HEAD",
        headers={"User-Agent": "pytorch/vision"},
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout_s):
            answers.put((mirror, ""))
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        answers.put((mirror, getattr(reason, "strerror", None) or str(reason) or repr(reason)))


def _fetch(
    source: Source, root: Path, missing: tuple[IdxFile, ...], mirrors: list[str], deadline: float
) -> None:
    """Download into a temporary folder, then move: a file with the right name is complete."""
    for abandoned in root.glob(
        _PARTIAL + "*"
    ):  # we have the lock, so the owner of the folder is dead
        shutil.rmtree(abandoned, ignore_errors=True)
    # not at the top: torch is slow to import, and only a download needs it
    from mnist_seq.tasks.sources.torchvision_compat import import_torchvision_datasets

    datasets = import_torchvision_datasets()
    dataset_class = type(
        source.folder,  # torchvision names its folder after the class
        (getattr(datasets, source.folder),),
        {
            "mirrors": mirrors,
            "resources": [(file.name + ".gz", file.archive_md5) for file in missing],
        },
    )
    partial = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=root))
    try:
        # not through __init__, which would then read and decode the whole data set
        dataset: Any = object.__new__(dataset_class)
        dataset.root = str(partial)
        # torchvision asks each mirror twice (https, then http) before it gives up.
        stall_s = max(1.0, (deadline - time.monotonic()) / (2 * len(mirrors)))
        with _socket_timeout(stall_s), _progress_on_terminals_only():
            dataset.download()
        target = root / source.folder / "raw"
        target.mkdir(parents=True, exist_ok=True)
        for file in missing:
            # the archive first, because the raw file is checked by it
            for name in (file.name + ".gz", file.name):
                system.replace(partial / source.folder / "raw" / name, target / name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextlib.contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    """Set a default timeout for sockets, because torchvision sets none for its own."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


@contextlib.contextmanager
def _progress_on_terminals_only() -> Iterator[None]:
    """Keep torchvision's progress bar out of logs."""
    if sys.stderr.isatty():
        yield
    else:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            yield
