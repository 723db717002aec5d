import multiprocessing
import socket
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from mnist_seq.tasks.sources.download import DownloadFailed, download_missing
from mnist_seq.tasks.sources.idx_files import AlteredFile
from tests.tasks.made import locate

NAMES = {
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
}


def test_missing_data_is_downloaded_verified_and_announced(published, serve, tmp_path, capfd):
    """torchvision's own code fetches it, from the first mirror that answers."""
    mirror = serve(published.archives)
    source = replace(published.source, mirrors=("http://127.0.0.1:9/none/", mirror.url))
    located = locate("mnist", tmp_path / "new", sources={"mnist": source})
    assert (located.name, len(located.files)) == ("mnist", 4)
    assert located.notice == f"downloaded MNIST to {tmp_path / 'new' / 'MNIST' / 'raw'}"
    assert sorted(mirror.downloads) == sorted(f"/{name}.gz" for name in NAMES)
    left = {path.name for path in (tmp_path / "new" / "MNIST" / "raw").iterdir()}
    assert left == NAMES | {name + ".gz" for name in NAMES}
    assert not list((tmp_path / "new").glob(".download-*"))
    assert capfd.readouterr() == ("", "")  # no progress bar in a log


def test_only_what_is_missing_is_downloaded(published, serve, tmp_path):
    """Files that somebody put there are theirs."""
    folder = published.write(tmp_path / "MNIST" / "raw")
    (folder / "t10k-labels-idx1-ubyte").unlink()
    mirror = serve(published.archives)
    source = replace(published.source, mirrors=(mirror.url,))
    assert len(locate("mnist", tmp_path, sources={"mnist": source}).files) == 4
    assert mirror.downloads == ["/t10k-labels-idx1-ubyte.gz"]


def test_a_damaged_file_is_not_replaced_by_a_download(published, serve, tmp_path):
    """It may be the only copy of something."""
    folder = published.write(tmp_path / "MNIST" / "raw")
    (folder / "t10k-labels-idx1-ubyte").write_bytes(b"damaged")
    (folder / "train-labels-idx1-ubyte").unlink()
    mirror = serve(published.archives)
    source = replace(published.source, mirrors=(mirror.url,))
    with pytest.raises(AlteredFile, match="t10k-labels-idx1-ubyte"):
        locate("mnist", tmp_path, sources={"mnist": source})
    assert mirror.downloads == []
    assert (folder / "t10k-labels-idx1-ubyte").read_bytes() == b"damaged"


def test_a_download_with_a_wrong_checksum_leaves_nothing_behind(published, serve, tmp_path):
    """A page of some hotel's network must not lie there as MNIST for the next run to refuse."""
    mirror = serve(dict.fromkeys(published.archives, b"<html>please log in</html>"))
    source = replace(published.source, mirrors=(mirror.url,))
    located = locate("mnist", tmp_path, sources={"mnist": source})
    assert located.name == "mnist_5k"
    assert "corrupted" in located.notice
    assert not (tmp_path / "MNIST").exists()
    assert not list(tmp_path.glob(".download-*"))


@pytest.mark.slow
def test_processes_that_start_together_download_once(published, serve, tmp_path):
    """A sweep's first minute must not fetch the same files many times, nor half-written ones."""
    mirror = serve(published.archives)
    source = replace(published.source, mirrors=(mirror.url,))
    spawn = multiprocessing.get_context("spawn")
    look = partial(locate, root=tmp_path, sources={"mnist": source})
    with ProcessPoolExecutor(3, mp_context=spawn) as pool:
        results = list(pool.map(look, ["mnist"] * 3))
    assert sorted(mirror.downloads) == sorted(f"/{name}.gz" for name in NAMES)
    assert len({located.files for located in results}) == 1
    assert sum(bool(located.notice) for located in results) == 1


def test_a_server_that_never_answers_is_given_up_within_the_bound(published, tmp_path):
    """A firewall that swallows packets must not hold a run; and no second run waits again."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        source = replace(published.source, mirrors=(f"http://127.0.0.1:{port}/",))
        start = time.monotonic()
        with pytest.raises(DownloadFailed, match=f"127.0.0.1:{port}: "):
            download_missing(source, tmp_path, patience_s=1.0)
        middle = time.monotonic()
        with pytest.raises(DownloadFailed):
            download_missing(source, tmp_path / "other", patience_s=1.0)
        assert middle - start < 1.5
        assert time.monotonic() - middle < 0.25
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_stalls_in_the_middle_is_given_up(published, serve, tmp_path):
    """torchvision itself sets no timeout and would wait for ever."""
    mirror = serve(published.archives, stalls=True)
    source = replace(published.source, mirrors=(mirror.url,))
    start = time.monotonic()
    with pytest.raises(DownloadFailed, match="timed out"):
        download_missing(source, tmp_path, patience_s=2.0)
    assert time.monotonic() - start < 10  # the import of torchvision included
    assert not list(tmp_path.glob(".download-*"))


def test_a_root_that_cannot_be_made_ends_in_the_fallback(published, serve):
    """/proc takes no folders, not even root's: as on a read-only disk, the reason is said."""
    mirror = serve(published.archives)
    source = replace(published.source, mirrors=(mirror.url,))
    located = locate("mnist", Path("/proc/mnist_seq"), sources={"mnist": source})
    assert located.name == "mnist_5k"
    assert "/proc" in located.notice
    assert mirror.downloads == []
