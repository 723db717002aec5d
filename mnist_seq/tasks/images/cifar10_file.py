"""Finds, downloads and reads CIFAR-10 in its binary form, which needs no pickle.

A file holds 10,000 pictures: a byte for the label, then 1,024 bytes each of red, green and blue,
row by row. torchvision takes the form for Python, whose files are pickles, which can run code.
"""

import hashlib
import http.client
import tarfile
import tempfile
import urllib.request
from pathlib import Path

import numpy as np
from filelock import FileLock
from jaxtyping import Int64, UInt8

from mnist_seq import system
from mnist_seq.tasks.located import DataNotFound

FILE = "cifar-10-binary.tar.gz"
URL = f"https://www.cs.toronto.edu/~kriz/{FILE}"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"  # as its authors print it beside the link
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_MEMBERS = (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin")
_PICTURES, _BYTES = 10_000, 1 + 3 * 32 * 32
_PATIENCE_S = 20.0
_failed: dict[str, str] = {}  # addresses that did not answer in this process -> reason


def find(root: Path, *, url: str = URL, md5: str = MD5) -> Path:
    """The archive in a root; it is downloaded where it is missing.

    Raises:
        DataNotFound: it is missing and cannot be downloaded.
        ValueError: it is another one than the published one.
    """
    path = root / FILE
    try:
        if not path.exists():
            _download(path, url, md5)
        found = _md5(path)
    except (OSError, http.client.HTTPException) as error:
        reason = _failed[url] = " ".join(f"{getattr(error, 'reason', None) or error}".split())
        raise DataNotFound(
            f"data=cifar10 needs {FILE}: not in {root} and not downloaded ({reason}); put {url} "
            "there (the binary form: that for Python is made of pickles)"
        ) from error
    if found != md5:
        raise ValueError(
            f"data files must be the published ones: {path} should have md5 {md5}, found {found}; "
            "nothing was overwritten: move the file away to have it downloaded, or replace it"
        )
    return path


def _download(path: Path, url: str, md5: str) -> None:
    """Into a temporary file beside it, so that a file of this name is whole."""
    if url in _failed:
        raise OSError(_failed[url])
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.parent / ".download.lock"):
        if path.exists():  # by another process
            return
        with tempfile.TemporaryDirectory(prefix=".download-", dir=path.parent) as folder:
            partial = Path(folder) / FILE
            answer = urllib.request.urlopen(url, timeout=_PATIENCE_S)
            with answer, partial.open("wb") as file:
                while chunk := answer.read(1 << 20):
                    file.write(chunk)
            if (found := _md5(partial)) != md5:
                raise OSError(f"{url} has md5 {found}, not {md5}")
            system.replace(partial, path)


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def read(
    path: Path,
) -> tuple[
    UInt8[np.ndarray, "N 32 32 3"],
    Int64[np.ndarray, " N"],
    UInt8[np.ndarray, "M 32 32 3"],
    Int64[np.ndarray, " M"],
]:
    """Train pictures, train labels, test pictures, test labels.

    Raises:
        ValueError: a file is missing, or has another size or label.
    """
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = member.name.rpartition("/")[2]
                file = archive.extractfile(member) if name in _MEMBERS else None
                if file is not None:
                    found[name] = file.read(_PICTURES * _BYTES + 1)
    except (tarfile.TarError, EOFError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{path} must be an archive of CIFAR-10: {reason}") from error
    for name in _MEMBERS:
        if len(found.get(name, b"")) != _PICTURES * _BYTES:
            size = f"{len(found[name]):,}" if name in found else "no"
            rule = f"{path} must have {_PICTURES * _BYTES:,} bytes in {name}"
            raise ValueError(f"{rule}: found {size}")
    whole = np.frombuffer(b"".join(found[name] for name in _MEMBERS), np.uint8)
    whole = whole.reshape(-1, _BYTES)
    y = whole[:, 0].astype(np.int64)
    if y.max() >= len(CLASSES):
        raise ValueError(f"{path} must have labels 0 to 9: found {y.max()}")
    x = np.ascontiguousarray(whole[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    num = len(x) - _PICTURES
    return x[:num], y[:num], x[num:], y[num:]


def luma(x: UInt8[np.ndarray, "N 32 32 3"]) -> UInt8[np.ndarray, "N 32 32 1"]:
    """Grey pictures: ITU-R 601 in whole numbers, as Pillow and torchvision make them."""
    red, green, blue = (x[..., i].astype(np.uint32) for i in range(3))
    grey = (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16
    return grey.astype(np.uint8)[..., None]
