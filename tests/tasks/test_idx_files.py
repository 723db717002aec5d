import gzip
from dataclasses import replace
from pathlib import Path

import pytest

from mnist_seq.tasks.sources.idx_files import AlteredFile, find_files

TRAIN_IMAGES = "train-images-idx3-ubyte"


@pytest.mark.parametrize("layout", ["MNIST/raw", "."])
@pytest.mark.parametrize("archived", [False, True])
def test_files_are_found_in_both_layouts_raw_and_compressed(published, tmp_path, layout, archived):
    """Users bring files from torchvision, from Debian and from a browser."""
    published.write(tmp_path / layout, archived=archived)
    found = find_files(published.source, tmp_path)
    assert not found.missing
    assert [md5 for _, md5 in found.files] == [f.content_md5 for f in published.source.files]
    assert all(Path(path).is_absolute() and Path(path).exists() for path, _ in found.files)


def test_another_compression_of_the_same_content_is_accepted(published, tmp_path):
    """Debian compresses Fashion-MNIST anew: the content counts, not the archive."""
    published.write(tmp_path, archived=True)
    archive = tmp_path / f"{TRAIN_IMAGES}.gz"
    archive.write_bytes(gzip.compress(published.contents[TRAIN_IMAGES], compresslevel=1))
    assert archive.read_bytes() != published.archives[TRAIN_IMAGES]
    assert not find_files(published.source, tmp_path).missing


def test_a_system_packages_folder_is_searched_after_the_root(published, tmp_path):
    """`apt-get install dataset-fashion-mnist`, and no data.root to set."""
    system = published.write(tmp_path / "usr" / "share", archived=True)
    source = replace(published.source, system=str(system))
    found = find_files(source, tmp_path / "none")
    assert {Path(path).parent for path, _ in found.files} == {system}
    own = published.write(tmp_path / "root" / "MNIST" / "raw")
    assert {Path(p).parent for p, _ in find_files(source, tmp_path / "root").files} == {own}
    (system / f"{TRAIN_IMAGES}.gz").write_bytes(b"damaged")
    with pytest.raises(AlteredFile, match=str(system)):
        find_files(source, tmp_path / "none")


def _flip_last_byte(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize("damage", [lambda content: content[:-100], _flip_last_byte])
@pytest.mark.parametrize("archived", [False, True])
def test_a_damaged_file_is_refused_by_name_and_left_alone(published, tmp_path, damage, archived):
    """Training on damaged data would give numbers; only a checksum tells."""
    folder = published.write(tmp_path / "MNIST" / "raw", archived=archived)
    path = folder / (TRAIN_IMAGES + (".gz" if archived else ""))
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    with pytest.raises(AlteredFile) as refusal:
        find_files(published.source, tmp_path)
    message = str(refusal.value)
    assert str(path) in message
    assert published.source.files[0].content_md5 in message
    assert "found md5 " in message
    assert "\n" not in message
    assert path.read_bytes() == damaged


def test_files_that_are_not_there_are_named(published, tmp_path):
    """Only what is missing needs a download."""
    folder = published.write(tmp_path / "MNIST" / "raw")
    (folder / "t10k-labels-idx1-ubyte").unlink()
    found = find_files(published.source, tmp_path)
    assert [file.name for file in found.missing] == ["t10k-labels-idx1-ubyte"]
    assert len(found.files) == 3


def test_a_root_that_does_not_exist_holds_nothing(published, tmp_path):
    """The default root does not exist on a fresh machine."""
    assert find_files(published.source, tmp_path / "none").missing == published.source.files


@pytest.mark.parametrize("root", ["file", "file/below"])
def test_a_root_that_is_no_folder_is_refused_by_name(published, tmp_path, root):
    """A typo in data.root must not end as a download beside the wrong place."""
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ValueError, match=r"choose another data\.root") as refusal:
        find_files(published.source, tmp_path / root)
    assert str(tmp_path / root) in str(refusal.value)


def test_a_file_that_cannot_be_read_is_refused_by_name(published, tmp_path):
    """What opens and cannot be read, for root as well, stands for every way in which it fails."""
    folder = published.write(tmp_path / "MNIST" / "raw")
    (folder / TRAIN_IMAGES).unlink()
    (folder / TRAIN_IMAGES).symlink_to("/proc/self/mem")
    with pytest.raises(ValueError, match=f"must be readable: .*{TRAIN_IMAGES}"):
        find_files(published.source, tmp_path)


def test_a_folder_in_a_files_place_is_refused_by_name(published, tmp_path):
    folder = published.write(tmp_path / "MNIST" / "raw")
    (folder / TRAIN_IMAGES).unlink()
    (folder / TRAIN_IMAGES).mkdir()
    with pytest.raises(ValueError, match=f"must be regular files: .*{TRAIN_IMAGES}"):
        find_files(published.source, tmp_path)


class TestArchivesVouch:
    """Kuzushiji-MNIST: only the archives' checksums are known."""

    @pytest.fixture
    def source(self, published):
        files = tuple(replace(file, content_md5="") for file in published.source.files)
        return replace(published.source, files=files)

    def test_a_published_archive_is_enough(self, source, published, tmp_path):
        """What torchvision downloads has no other checksum."""
        published.write(tmp_path, archived=True)
        found = find_files(source, tmp_path)
        assert [md5 for _, md5 in found.files] == [f.content_md5 for f in published.source.files]

    def test_a_raw_file_beside_its_archive_is_used(self, source, published, tmp_path):
        """A raw file can be mapped into memory, an archive cannot."""
        published.write(tmp_path, archived=True)
        published.write(tmp_path)
        assert not any(path.endswith(".gz") for path, _ in find_files(source, tmp_path).files)

    def test_a_raw_file_that_differs_from_its_archive_is_refused(self, source, published, tmp_path):
        """The archive is published, but the raw file is what would be read."""
        published.write(tmp_path, archived=True)
        published.write(tmp_path)
        (tmp_path / TRAIN_IMAGES).write_bytes(b"something else")
        with pytest.raises(AlteredFile, match=f"{TRAIN_IMAGES} should have md5"):
            find_files(source, tmp_path)

    def test_a_recompressed_archive_is_refused(self, source, published, tmp_path):
        """Its content may be right, but nothing shows it."""
        published.write(tmp_path, archived=True)
        content = published.contents[TRAIN_IMAGES]
        (tmp_path / f"{TRAIN_IMAGES}.gz").write_bytes(gzip.compress(content, compresslevel=1))
        with pytest.raises(AlteredFile, match=f"{TRAIN_IMAGES}.gz should have md5"):
            find_files(source, tmp_path)

    def test_a_raw_file_alone_is_refused_with_the_way_out(self, source, published, tmp_path):
        """Nothing can vouch for it."""
        published.write(tmp_path)
        with pytest.raises(AlteredFile, match="put the archive beside it"):
            find_files(source, tmp_path)
