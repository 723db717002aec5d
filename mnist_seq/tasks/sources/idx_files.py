"""Finds the four IDX files of a data set in a folder, and compares them with the published ones."""

import gzip
import hashlib
import os
import stat
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mnist_seq.tasks.sources.published import SOURCES, IdxFile, Source

MAX_BYTES = 300 << 20  # of a file that is read; the training images of MNIST as CSV have 110 MB


class AlteredFile(ValueError):
    """A data file exists, but is not the published one."""


@dataclass(frozen=True)
class Found:
    """The files in a root, (path, md5 of uncompressed content) by name, and the missing ones."""

    files: tuple[tuple[str, str], ...]
    missing: tuple[IdxFile, ...]


def find_files(source: Source, root: Path) -> Found:
    """Look for the files of `source` under `root` and verify every one that is used.

    The order of search: torchvision's layout, directly in `root`, the folder of a system package;
    in each first the raw file, then the `.gz`.

    Raises:
        AlteredFile: the first file found is truncated, altered or cannot be checked.
        ValueError: `root` or a file cannot be read.
    """
    folders = [root / source.folder / "raw", root] if _is_readable_folder(root) else []
    folders += [Path(source.system)] if source.system else []
    found = {file: _find(source, file, folders) for file in source.files}
    return Found(
        tuple(where for where in found.values() if where is not None),
        tuple(file for file, where in found.items() if where is None),
    )


def _is_readable_folder(root: Path) -> bool:
    """False if there is no such folder; an error if it is something else or cannot be read."""
    try:
        if not stat.S_ISDIR(root.stat().st_mode):
            raise ValueError(
                f"data.root must be a folder: {root} is a file; choose another data.root"
            )
        os.listdir(root)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _unreadable(root, error) from error
    return True


def _find(source: Source, file: IdxFile, folders: Sequence[Path]) -> tuple[str, str] | None:
    for path in (_unfolded(folder / file.name) for folder in folders):
        archive = path.with_name(path.name + ".gz")
        try:
            for candidate in (path, archive):
                if (
                    candidate.exists() and not candidate.is_file()
                ):  # reading from a pipe would never end
                    raise ValueError(f"data files must be regular files: {candidate} is none")
            checked = _check(path, archive, file)
        except AlteredFile:
            # directly in a root, the files of MNIST and Fashion-MNIST have the same names
            is_own = path.parent.parent.name == source.folder
            if not is_own and _is_of_another_source(path, archive, source):
                continue
            raise
        except OSError as error:
            raise _unreadable(Path(error.filename or path), error) from error
        if checked is not None:
            return checked
    return None


def _unfolded(path: Path) -> Path:
    """The file of the same name in a folder of this name, as unpackers of archives leave it."""
    return path / path.name if (path / path.name).is_file() else path


def _check(path: Path, archive: Path, file: IdxFile) -> tuple[str, str] | None:
    if not file.content_md5:
        return _check_by_archive(path, archive, file)
    for candidate in (path, archive):
        if candidate.exists():
            found = content_md5(candidate)
            if found != file.content_md5:
                raise _altered(candidate, f"md5 {file.content_md5} of its content", f"md5 {found}")
            return str(candidate), found
    return None


def _check_by_archive(path: Path, archive: Path, file: IdxFile) -> tuple[str, str] | None:
    """Check a raw file by the archive next to it, whose checksum is known."""
    if not archive.exists():
        if path.exists():
            raise AlteredFile(
                f"data files must be the published ones, and only the archive {archive.name} with "
                f"md5 {file.archive_md5} can show it: {path} lies there alone; put the archive "
                "beside it, or move it away so that both are downloaded"
            )
        return None
    found = file_md5(archive)
    if found != file.archive_md5:
        raise _altered(archive, f"md5 {file.archive_md5}", f"md5 {found}")
    content = content_md5(archive)
    if not path.exists():
        return str(archive), content
    if (raw := file_md5(path)) != content:
        raise _altered(path, f"md5 {content}", f"md5 {raw}")
    return str(path), content


def _is_of_another_source(path: Path, archive: Path, source: Source) -> bool:
    others = {f.content_md5 for s in SOURCES.values() if s.name != source.name for f in s.files}
    present = path if path.exists() else archive
    return content_md5(present) in others - {""}


def file_md5(path: Path) -> str:
    """The md5 of a file as it lies there; for a huge one, a text that says so."""
    with open(path, "rb") as stream:
        return _digest(stream.read)


def content_md5(path: Path) -> str:
    """The md5 of the content of a file; for a damaged `.gz` or a huge file, a text that says so."""
    if path.suffix != ".gz":
        return file_md5(path)
    try:
        with gzip.open(path) as stream:
            return _digest(stream.read)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        return f"{file_md5(path)} of an archive that does not unpack ({error})"


def _digest(read: Callable[[int], bytes]) -> str:
    """The md5 of a stream, up to a limit: few bytes of an archive may stand for terabytes."""
    md5, left = hashlib.md5(usedforsecurity=False), MAX_BYTES  # not for security: FIPS allows it
    while chunk := read(1 << 20):
        md5.update(chunk)
        left -= len(chunk)
        if left < 0:
            return f"unknown (it holds more than {MAX_BYTES >> 20} MiB)"
    return md5.hexdigest()


def _altered(path: Path, expected: str, found: str) -> AlteredFile:
    return AlteredFile(
        f"data files must be the published ones: {path} should have {expected}, found {found}; "
        "nothing was overwritten: move the file away to have it downloaded, or replace it"
    )


def _unreadable(path: Path, error: OSError) -> ValueError:
    return ValueError(
        f"data.root must be readable: {path}: {error.strerror or error}; "
        "change its permissions or choose another data.root"
    )
