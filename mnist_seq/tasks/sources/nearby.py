"""Finds published data under other names, in other folders and in other formats.

Names only say which files are worth a look. What a file is, the checksum of its content says: so a
run has the same data, and the same identity, however the files were named.
"""

import contextlib
import hashlib
import itertools
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mnist_seq import system
from mnist_seq.tasks.sources.idx_files import MAX_BYTES, Found, content_md5, file_md5, find_files
from mnist_seq.tasks.sources.published import SOURCES, IdxFile, Source

_DEPTH, _MOST = 3, 3_000  # folders below the root, and files and folders that are looked at
_SUFFIXES = (".npz", ".csv", ".csv.gz", ".parquet")
_IDX = re.compile(r"(train|t10k|test)-(images|labels)(-idx[13])?(-ubyte)?$")
# Words of data sets with names like those of others -> the value of `data` that they are for
_WORDS = {"fashion": "fashion_mnist", "kmnist": "kmnist", "kuzushiji": "kmnist", "emnist": "",
          "qmnist": "", "k49": "",
          **dict.fromkeys(("mnist1d", "mnist_1d", "mnist-1d"), "mnist1d")}  # fmt: skip


@dataclass
class Nearby:
    """What was found for the missing files of a data set.

    Attributes:
        files: (path, md5 of content) of the files that are the published ones.
        converted: the files, of another format, that they were read from.
        odd: files that are named like them and have another content, with the reason.
        others: files that may be meant, and are of another data set by their names.
    """

    files: dict[IdxFile, tuple[str, str]] = field(default_factory=dict)
    converted: list[Path] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    def there(self) -> str:
        """What lies there instead, for a message; "" for nothing."""
        found = [*self.odd, *self.others]
        more = f" and {len(found) - 5} more" if found[5:] else ""
        return f"; there lie {', '.join(found[:5])}{more}" if found else ""


def look(source: Source, root: Path, found: Found, *, convert: bool) -> tuple[Found, Nearby]:
    """Look below `root` for the files that `found` lacks.

    Args:
        convert: also read files of other formats, and write them as IDX files into torchvision's
            layout; where `root` cannot be written, into the user's cache.

    Returns:
        What there is now, and how it was found.
    """
    near, containers = Nearby(), []
    missing = {file.content_md5 or file.archive_md5: file for file in found.missing}
    for path in _files_below(root):
        name = str(path.relative_to(root))
        is_other = _is_of_another(source, path, name)
        if _IDX.search(_plain(path.name)):
            _add_idx(near, missing, source, path, name, is_other=is_other)
        elif _is_container(path):
            if is_other:
                near.others.append(name)
            else:
                containers.append(path)
    if left := [file for file in found.missing if file not in near.files]:
        _add_cached(near, source, left)
    if convert and any(file not in near.files for file in found.missing):
        _add_converted(near, source, root, found.missing, containers)
    files = dict(zip(_present(source, found), found.files, strict=True)) | near.files
    return (
        Found(
            tuple(files[file] for file in source.files if file in files),
            tuple(file for file in source.files if file not in files),
        ),
        near,
    )


def _present(source: Source, found: Found) -> list[IdxFile]:
    return [file for file in source.files if file not in found.missing]


def _files_below(root: Path) -> Iterator[Path]:
    """Files in the root and in folders below it, nearer ones first; hidden ones are left out."""
    left, level = _MOST, [root]
    for _ in range(_DEPTH + 1):
        below = []
        for folder in level:
            entries: list[os.DirEntry[str]] = []
            with contextlib.suppress(OSError), os.scandir(folder) as found:
                entries = list(itertools.islice(found, left))
            left -= len(entries)
            for entry in sorted(entries, key=lambda e: e.name):
                with contextlib.suppress(OSError):
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir():
                        below.append(Path(entry.path))
                    elif entry.is_file() and entry.stat().st_size <= MAX_BYTES:
                        yield Path(entry.path)
        level = below


def _plain(name: str) -> str:
    """A file's name in lower-case words with dashes, without `.gz`."""
    return re.sub("[^a-z0-9]+", "-", name.lower().removesuffix(".gz")).strip("-")


def _is_container(path: Path) -> bool:
    name = path.name.lower()
    if not name.endswith(_SUFFIXES):
        return False
    return "mnist" in name or _plain(name).startswith(("train", "test"))


def _is_of_another(source: Source, path: Path, name: str) -> bool:
    """Whether the words of a path say that it is another data set."""
    own = [word for word, data in _WORDS.items() if data == source.name]
    if own and not any(word in str(path).lower() for word in own):
        return True
    return any(word in name.lower() for word in _WORDS if word not in own)


def _add_idx(
    near: Nearby,
    missing: dict[str, IdxFile],
    source: Source,
    path: Path,
    name: str,
    *,
    is_other: bool,
) -> None:
    try:
        is_archive = path.suffix.lower() == ".gz"
        content = content_md5(path)
        archive = file_md5(path) if is_archive else ""
    except OSError as error:
        near.odd.append(f"{name} ({error.strerror or error})")
        return
    file = missing.get(content) or missing.get(archive)
    if file is not None:
        near.files.setdefault(file, (str(path), content))
    elif content not in _published():
        (near.others if is_other else near.odd).append(f"{name} (of other content)")


def _published() -> set[str]:
    """Checksums of the contents of all published files."""
    return {file.content_md5 for source in SOURCES.values() for file in source.files} - {""}


def _add_cached(near: Nearby, source: Source, missing: Sequence[IdxFile]) -> None:
    """Files that were converted before, where the root cannot be written."""
    with contextlib.suppress(ValueError, OSError, RuntimeError):
        found = find_files(source, _cache())
        for file, where in zip(_present(source, found), found.files, strict=True):
            if file in missing:
                near.files[file] = where


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mnist_seq" / "data"


def _add_converted(
    near: Nearby,
    source: Source,
    root: Path,
    missing: Sequence[IdxFile],
    containers: Sequence[Path],
) -> None:
    # not at the top: it imports NumPy, and most roots hold IDX files
    from mnist_seq.tasks.sources.containers import Unreadable, idx_contents

    known = {file.content_md5 for file in source.files}
    wanted = {file.content_md5: file for file in missing if file.content_md5}
    for path in containers:
        if all(file in near.files for file in missing):
            return
        name, is_whole = str(path.relative_to(root)), True
        rest = near.odd if "mnist" in name.lower() else near.others
        try:
            for content in idx_contents(path):
                found = hashlib.md5(content, usedforsecurity=False).hexdigest()
                is_whole &= found in known
                file = wanted.get(found)
                if file is not None and file not in near.files:
                    where = _write(source, root, file, content)
                    near.files[file] = (str(where), found)
                    near.converted.append(path)
        except Unreadable as reason:
            rest.append(f"{name} ({reason})")
            continue
        if not is_whole:
            rest.append(f"{name} (of other content, or in another order)")


def _write(source: Source, root: Path, file: IdxFile, content: bytes) -> Path:
    """Write an IDX file under a temporary name, then rename it: a file that exists is complete.

    Raises:
        ValueError: neither the root nor the cache can be written.
    """
    for folder in (root, _cache()):
        raw = folder / source.folder / "raw"
        try:
            raw.mkdir(parents=True, exist_ok=True)
            handle, partial = tempfile.mkstemp(prefix=".idx-", dir=raw)
            try:
                with os.fdopen(handle, "wb") as stream:
                    stream.write(content)
                os.chmod(partial, 0o644)  # mkstemp makes a private file; data may be read by all
                system.replace(partial, raw / file.name)
            finally:
                Path(partial).unlink(missing_ok=True)
            return raw / file.name
        except OSError as error:
            reason = f"{raw}: {error.strerror or error}"
    raise ValueError(
        f"{source.folder} must be written as IDX files, and cannot be ({reason}); choose a "
        "data.root that can be written, or set XDG_CACHE_HOME"
    )
