"""Base class of a data set published as four IDX files: found, else downloaded, else replaced."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from mnist_seq.tasks import DataNotFound, Located
from mnist_seq.tasks.images import ImageTask
from mnist_seq.tasks.sources.download import DownloadFailed, download_missing
from mnist_seq.tasks.sources.idx_files import Found, find_files
from mnist_seq.tasks.sources.nearby import Nearby, look
from mnist_seq.tasks.sources.published import Source

if TYPE_CHECKING:
    import numpy as np

    from mnist_seq.tasks.examples import Examples


class PublishedTask(ImageTask):
    """60,000 training and 10,000 test pictures, 28 x 28 bytes each.

    Attributes:
        files: names and checksums of the files, and mirrors.
        patience_s: seconds that a machine without a network may wait in total.
        hint: the last words of the error where the files are missing.
    """

    num_train, num_test = 60_000, 10_000
    files: ClassVar[Source]
    patience_s: ClassVar[float] = 20.0
    hint: ClassVar[str] = ""

    def locate(self, root: Path) -> Located:
        """Find and verify the files in torchvision's layout, directly in the root, then near it.

        Raises:
            AlteredFile: a file is there, but is not the published one.
            DataNotFound: files are missing and cannot be downloaded or replaced.
            ValueError: the root cannot be read.
        """
        files = self.files
        found = find_files(files, root)
        notice = ""
        near = Nearby()
        if found.missing:
            found, near = look(files, root, found, convert=True)
            notice = self._converted(found, near)
        if found.missing:
            try:
                if download_missing(files, root, patience_s=self.patience_s):
                    notice = f"downloaded {self.title} to {root / files.folder / 'raw'}"
            except DownloadFailed as reason:
                return self._without_files(root, found, near, reason)
            found = look(files, root, find_files(files, root), convert=False)[0]
        return self.located([md5 for _, md5 in found.files], found.files, notice)

    def _converted(self, found: Found, near: Nearby) -> str:
        """The line that says what was converted, or ""."""
        if not near.converted:
            return ""
        sources = ", ".join(dict.fromkeys(map(str, near.converted)))
        folders = dict.fromkeys(str(Path(path).parent) for path, _ in found.files)
        return f"{self.title} was read from {sources}, and is in {', '.join(folders)} as IDX files"

    def _without_files(
        self, root: Path, found: Found, near: Nearby, reason: DownloadFailed
    ) -> Located:
        """The data set that replaces this one, if any.

        Refused if some of the files are there, or files that are named like them.
        """
        if not found.files and not near.odd:
            instead = self.instead(root, f"{reason}{near.there()}")
            if instead is not None:
                return instead
        files = self.files
        names = ", ".join(file.name for file in found.missing)
        hint = f"; or {files.hint}" if files.hint else self.hint
        raise DataNotFound(
            f"data={self.name} needs four IDX files: {names} not under {root} and not downloaded "
            f"({reason}){near.there()}; put them, as .gz if you like, into "
            f"{root / files.folder / 'raw'}{hint}"
        ) from reason

    def instead(self, root: Path, reason: str) -> Located | None:
        """The data set that replaces this one if its files are not available; None for none."""
        return None

    def load(self, located: Located) -> "Examples":
        """See `Task`. `locate` has verified the checksums."""
        from mnist_seq.tasks.images.idx import read_examples

        return read_examples([Path(path) for path, _ in located.files])

    @classmethod
    def test_pictures(cls, root: Path, indexes: Sequence[int]) -> "np.ndarray | None":
        """See `Task`."""
        from mnist_seq.tasks.images.idx import read_pictures

        try:
            found = find_files(cls.files, root)
        except ValueError:  # a run reports the error; a report only lacks the pictures
            return None
        if found.missing:
            found, _ = look(cls.files, root, found, convert=False)
        if found.missing:
            return None
        pictures = read_pictures(Path(found.files[2][0]))
        return pictures[list(indexes)] if max(indexes) < len(pictures) else None
