"""Data under the names, in the folders and in the formats in which people have it."""

import gzip
import importlib.util
import io
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mnist_seq.tasks import DataNotFound, Located
from mnist_seq.tasks.sources import containers, idx_files
from mnist_seq.tasks.sources.published import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS
from tests.tasks.conftest import Published
from tests.tasks.made import load, locate, make_task

PAIRS = {"train": (TRAIN_IMAGES, TRAIN_LABELS), "test": (TEST_IMAGES, TEST_LABELS)}


def arrays(published: Published, part: str) -> tuple[np.ndarray, np.ndarray]:
    x, y = (published.contents[name] for name in PAIRS[part])
    images = np.frombuffer(x, np.uint8, offset=16).reshape(-1, 28, 28)
    return images, np.frombuffer(y, np.uint8, offset=8)


def idx(name: Callable[[str], str], *, archived: bool = False) -> Callable[[Published, Path], None]:
    def write(published: Published, root: Path) -> None:
        for published_name, content in published.contents.items():
            path = root / name(published_name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(gzip.compress(content) if archived else content)

    return write


def npz(published: Published, root: Path) -> None:
    (x, y), (test_x, test_y) = (arrays(published, part) for part in PAIRS)
    np.savez_compressed(root / "mnist.npz", x_train=x, y_train=y, x_test=test_x, y_test=test_y)


def csv(name: str, *, header: bool) -> Callable[[Published, Path], None]:
    def write(published: Published, root: Path) -> None:
        for part in PAIRS:
            x, y = arrays(published, part)
            rows = np.column_stack([y, x.reshape(len(x), -1)])
            top = ",".join(["label", *(f"{1 + i // 28}x{1 + i % 28}" for i in range(784))])
            out = io.StringIO()
            np.savetxt(out, rows, fmt="%d", delimiter=",", header=top * header, comments="")
            path = root / name.format(part)
            path.parent.mkdir(parents=True, exist_ok=True)
            text = out.getvalue().encode()
            path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)

    return write


LAYOUTS: dict[str, Callable[[Published, Path], None]] = {
    "kaggle": idx(lambda name: name.replace("-idx", ".idx")),
    "kaggle, a folder each": idx(lambda name: f"{name}/{name}"),
    "kaggle, unpacked by hand": idx(lambda name: f"archive/{name}/{name.replace('-idx', '.idx')}"),
    "the root is the folder MNIST": idx(lambda name: f"raw/{name}"),
    "lower-case folders": idx(lambda name: f"mnist/raw/{name}"),
    "upper-case names": idx(lambda name: f"Mnist/{name.upper()}.gz", archived=True),
    "keras": npz,
    "csv of pjreddie": csv("mnist_{}.csv", header=False),
    "csv of kaggle": csv("mnist-in-csv/mnist_{}.csv", header=True),
    "csv, compressed": csv("mnist_{}.csv.gz", header=True),
}


def found(published: Published, root: Path) -> Located:
    return locate("mnist", root, sources={"mnist": published.source}, patience_s=0.1)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_same_data_have_the_same_identity_however_they_came(
    published: Published, tmp_path: Path, layout: str
) -> None:
    """A run is known by its data's fingerprint, on every machine."""
    root = tmp_path / "root"
    root.mkdir()
    LAYOUTS[layout](published, root)
    located = found(published, root)
    usual = found(published, published.write(tmp_path / "usual" / "MNIST" / "raw").parents[1])
    assert (located.name, located.fingerprint) == ("mnist", usual.fingerprint)
    x, test_x = (arrays(published, part)[0] for part in PAIRS)
    images = load(located)
    assert (images.train_images.numpy() == x).all()
    assert (images.test_images.numpy() == test_x).all()
    is_converted = layout.startswith(("keras", "csv"))
    assert ("is in" in located.notice and "as IDX files" in located.notice) == is_converted
    assert {md5 for _, md5 in located.files} == {f.content_md5 for f in published.source.files}
    pictures = type(make_task("mnist", sources={"mnist": published.source})).test_pictures
    assert (pictures(root, [3]) == test_x[[3]]).all()


def test_what_was_converted_is_found_without_a_word(published: Published, tmp_path: Path) -> None:
    """A CSV takes seconds to read; IDX files can be mapped into memory."""
    npz(published, tmp_path)
    first = found(published, tmp_path)
    assert f"was read from {tmp_path / 'mnist.npz'}" in first.notice
    from mnist_seq.tasks.located import _located

    _located.clear()
    second = found(published, tmp_path)
    assert (second.notice, second.files) == ("", first.files)


def test_a_root_that_cannot_be_written_is_converted_into_the_cache(
    published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shared data are often read-only; a file in the folder's place stands for that."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "root"
    root.mkdir()
    npz(published, root)
    (root / "MNIST").write_text("")
    located = found(published, root)
    assert all(path.startswith(str(tmp_path / "cache")) for path, _ in located.files)
    (root / "mnist.npz").write_bytes(b"damaged since")
    from mnist_seq.tasks.located import _located

    _located.clear()
    assert found(published, root).files == located.files


def spoil(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(("layout", "name"), [
    ("kaggle", "t10k-images.idx3-ubyte"), ("keras", "mnist.npz"),
    ("csv of pjreddie", "mnist_test.csv"),
])  # fmt: skip
def test_data_that_are_named_like_mnist_and_are_not_are_no_reason_to_fall_back(
    published: Published, tmp_path: Path, layout: str, name: str
) -> None:
    """Somebody put MNIST there; five thousand other images would hide the damage."""
    LAYOUTS[layout](published, tmp_path)
    spoil(tmp_path / name)
    with pytest.raises(DataNotFound) as refusal:
        found(published, tmp_path)
    assert f"there lie {name} (" in str(refusal.value)
    assert "or choose data=mnist_5k" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_files_of_others_are_named_before_the_subset_stands_in(
    published: Published, tmp_path: Path
) -> None:
    """They may be what was meant, and they are no damaged MNIST."""
    (tmp_path / "train.csv").write_text("id,price\n1,2\n")
    (tmp_path / "emnist-digits-train-images-idx3-ubyte").write_bytes(b"other digits")
    (tmp_path / "fashion-mnist_test.csv").write_text("label\n")
    (tmp_path / "MNIST1D").mkdir()
    (tmp_path / "MNIST1D" / "mnist1d.npz").write_bytes(b"signals")
    located = found(published, tmp_path)
    assert located.name == "mnist_5k"
    assert "there lie " in located.notice
    assert "train.csv (its lines have 2 values, not a label and 784)" in located.notice
    assert "emnist-digits-train-images-idx3-ubyte" in located.notice
    assert "fashion-mnist_test.csv" in located.notice


def test_a_zip_bomb_is_not_unpacked(
    published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "MAX_BYTES", 40 << 10)
    np.savez_compressed(tmp_path / "mnist.npz", x_train=np.zeros((60, 784), np.uint8),
                        y_train=[0], x_test=[0], y_test=[0])  # fmt: skip
    assert (tmp_path / "mnist.npz").stat().st_size < 2 << 10
    with pytest.raises(DataNotFound, match="it holds more than 0 MiB"):
        found(published, tmp_path)


def picture(width: int, height: int, extra: bytes, pixels: bytes) -> bytes:
    """A PNG file."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        crc = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = (
        chunk(b"IHDR", header),
        extra,
        chunk(b"IDAT", zlib.compress(pixels)),
        chunk(b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("content", [
    picture(20_000, 20_000, b"", b""), picture(10_000, 10_000, b"", b""), picture(28, 28, b"", b""),
    picture(29, 28, b"", bytes(900)), b"BM", b"",
])  # fmt: skip
def test_a_picture_that_unpacks_to_gigabytes_is_refused(content: bytes) -> None:
    """PIL raises an error of its own, or warns, and unpacks."""
    with pytest.raises(containers.Unreadable, match="an image"):
        containers._picture(content)


def test_a_picture_of_the_right_size_is_read() -> None:
    assert containers._picture(picture(28, 28, b"", bytes(29 * 28))).shape == (28, 28)


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"])
def test_a_file_that_never_ends_is_read_to_a_limit(
    published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A sparse file of terabytes, or an archive of so much, would be read for days."""
    raw = published.write(tmp_path / "MNIST" / "raw", archived=name.endswith(".gz"))
    monkeypatch.setattr(idx_files, "MAX_BYTES", 5 << 20)
    if name.endswith(".gz"):
        (raw / name).write_bytes(gzip.compress(bytes(8 << 20)))
    else:
        with open(raw / name, "wb") as file:
            file.truncate(5 << 40)
    with pytest.raises(ValueError, match="it holds more than 5 MiB") as refusal:
        found(published, tmp_path)
    assert "\n" not in str(refusal.value)


def test_parquet_without_pyarrow_names_the_extra(
    published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "train-00000-of-00001.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataNotFound, match=r"pip install 'mnist_seq\[parquet\]'"):
        found(published, tmp_path)


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="needs mnist_seq[parquet]")
def test_parquet_of_hugging_face_is_read(published: Published, tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet
    from PIL import Image

    folder = tmp_path / "mnist"
    folder.mkdir()
    for part in PAIRS:
        x, y = arrays(published, part)
        files = []
        for image in x:
            Image.fromarray(image).save(out := io.BytesIO(), "PNG")
            files.append({"bytes": out.getvalue(), "path": None})
        table = pyarrow.table({"image": files, "label": y.astype(np.int64)})
        pyarrow.parquet.write_table(table, folder / f"{part}-00000-of-00001.parquet")
    located = found(published, tmp_path)
    assert (located.name, len(located.files)) == ("mnist", 4)
    assert (load(located).train_images.numpy() == arrays(published, "train")[0]).all()
    (folder / "train-00000-of-00001.parquet").write_bytes(b"PAR1")
