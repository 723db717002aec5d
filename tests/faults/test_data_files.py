"""Every file of the data root damaged in every way, and headers that lie about their size."""

import gzip
import struct
import tracemalloc
from pathlib import Path

import pytest

from mnist_seq.tasks import Located
from mnist_seq.tasks.images.idx import read_idx
from tests.faults.damage import ALL, ENDLESS, FEW
from tests.tasks.conftest import Published, published
from tests.tasks.made import load, locate

__all__ = ["published"]  # the fixture

NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
         "t10k-labels-idx1-ubyte")  # fmt: skip


def found(published: Published, root: Path) -> Located:
    """The data as it is found without a network."""
    return locate("mnist", root, patience_s=0.1, sources={"mnist": published.source})


def check(published: Published, root: Path, name: str, how: str, archived: bool) -> None:
    folder = published.write(root / "data" / "MNIST" / "raw", archived=archived)
    path = folder / (name + ".gz" * archived)
    {**ALL, **ENDLESS}[how](path)
    others = {p: p.read_bytes() for p in folder.iterdir() if p != path and p.is_file()}
    said = ""
    try:
        images = load(found(published, root / "data"))
    except ValueError as error:
        said = str(error)
    if said:
        assert name in said
        assert len(said.splitlines()) == 1
    else:  # a flip in an archive's header changes nothing of its content
        assert how == "a link elsewhere" or (archived and how.startswith("flipped"))
        assert images.test_labels.tolist() == [*range(10)] * 2
    assert {p: p.read_bytes() for p in others} == others
    if how not in ("missing",):
        assert path.exists() or path.is_symlink()


@pytest.mark.parametrize("archived", [False, True])
@pytest.mark.parametrize("how", [*FEW, *ENDLESS])
@pytest.mark.parametrize("name", [NAMES[0], NAMES[3]])
def test_a_damaged_data_file_is_refused_by_name_and_left_alone(
    published: Published, tmp_path: Path, name: str, how: str, archived: bool
) -> None:
    """Training on other data gives numbers, too."""
    check(published, tmp_path, name, how, archived)


@pytest.mark.slow
@pytest.mark.parametrize("archived", [False, True])
@pytest.mark.parametrize("how", ALL)
@pytest.mark.parametrize("name", NAMES)
def test_every_damage_of_every_data_file(
    published: Published, tmp_path: Path, name: str, how: str, archived: bool
) -> None:
    check(published, tmp_path, name, how, archived)


LIES: dict[str, bytes] = {
    "four thousand million pictures": struct.pack(">4I", 0x803, 2**32 - 1, 28, 28),
    "sides of 2^32": struct.pack(">4I", 0x803, 2**32 - 1, 2**32 - 1, 2**32 - 1),
    "a product that overflows 64 bits": struct.pack(">4I", 0x803, 2**32 - 16, 2**31, 2**31),
    "255 dimensions": struct.pack(">I", 0x8FF) + b"\xff" * 1020,
    "a header alone": struct.pack(">4I", 0x803, 10, 28, 28),
    "half a header": struct.pack(">2I", 0x803, 10),
    "no picture": struct.pack(">4I", 0x803, 0, 28, 28),
    "bytes as floats": struct.pack(">4I", 0xD03, 1, 2, 2) + bytes(16),
}  # fmt: skip


@pytest.mark.parametrize("is_archive", [False, True])
@pytest.mark.parametrize("lie", LIES)
def test_a_header_that_lies_is_refused_before_memory_is_taken(
    tmp_path: Path, lie: str, is_archive: bool
) -> None:
    """The header says terabytes, and the file holds a thousand bytes."""
    content = LIES[lie] + bytes(1000) * (lie[0] not in "ahn")
    path = tmp_path / ("x.gz" if is_archive else "x")
    path.write_bytes(gzip.compress(content) if is_archive else content)
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"an IDX file must .*x") as refusal:
        read_idx(path, num_dims=3)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1 << 20
    assert len(str(refusal.value).splitlines()) == 1
