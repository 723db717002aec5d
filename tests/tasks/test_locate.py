import json
import pickle
import subprocess
import sys
import time
from dataclasses import asdict, replace

import pytest

from mnist_seq.config.paths import options
from mnist_seq.tasks import DataNotFound, Located, remember, task_class
from mnist_seq.tasks.sources.idx_files import AlteredFile
from tests.tasks.made import locate


def test_what_lies_in_the_root_is_used_without_a_word(published, tmp_path):
    """Only what differs from the request is announced."""
    published.write(tmp_path / "MNIST" / "raw")
    located = locate("mnist", tmp_path, sources={"mnist": published.source})
    assert (located.requested, located.name, located.notice) == ("mnist", "mnist", "")
    assert len(located.files) == 4


def test_the_fingerprint_depends_on_content_alone(published, tmp_path):
    """Two machines with the same data must agree that it is the same."""
    published.write(tmp_path / "a" / "MNIST" / "raw")
    published.write(tmp_path / "b", archived=True)
    sources = {"mnist": published.source}
    a, b = (locate("mnist", tmp_path / name, sources=sources) for name in "ab")
    assert a.fingerprint == b.fingerprint
    assert a.fingerprint != locate("mnist_5k", tmp_path).fingerprint


def test_without_files_and_network_mnist_becomes_the_subset_and_says_so(published, tmp_path):
    """The README's first line must train on any machine, and never pass the subset for MNIST."""
    located = locate("mnist", tmp_path / "none", sources={"mnist": published.source})
    assert (located.requested, located.name, located.files) == ("mnist", "mnist_5k", ())
    assert located.fingerprint == locate("mnist_5k", tmp_path).fingerprint
    assert "\n" not in located.notice
    for word in (str(tmp_path / "none"), "127.0.0.1:9", "mnist_5k", "put its IDX files"):
        assert word in located.notice
    assert not (tmp_path / "none").exists()


def test_the_subset_asked_for_by_name_needs_no_announcement(tmp_path):
    """It is what was asked for."""
    located = locate("mnist_5k", tmp_path / "none")
    assert (located.name, located.files, located.notice) == ("mnist_5k", (), "")


def test_an_altered_file_is_no_reason_to_fall_back(published, tmp_path):
    """Somebody put MNIST there: training on something else would hide the damage."""
    folder = published.write(tmp_path / "MNIST" / "raw")
    (folder / "t10k-labels-idx1-ubyte").write_bytes(b"damaged")
    with pytest.raises(AlteredFile, match="t10k-labels-idx1-ubyte"):
        locate("mnist", tmp_path, sources={"mnist": published.source})


def test_some_files_without_the_others_are_no_reason_to_fall_back(published, tmp_path):
    """Somebody started to put MNIST there: the message names what is missing."""
    folder = published.write(tmp_path / "MNIST" / "raw")
    (folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataNotFound, match="needs four IDX files: t10k-labels-idx1-ubyte not"):
        locate("mnist", tmp_path, sources={"mnist": published.source})


def test_a_data_set_without_fallback_says_how_to_get_it(published, tmp_path):
    """Fashion-MNIST cannot be replaced by digits."""
    source = replace(published.source, name="fashion_mnist", folder="FashionMNIST")
    with pytest.raises(DataNotFound) as refusal:
        locate("fashion_mnist", tmp_path, sources={"fashion_mnist": source})
    assert str(tmp_path / "FashionMNIST" / "raw") in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_an_unknown_name_is_refused(tmp_path):
    """The message lists what there is."""
    with pytest.raises(ValueError, match=", ".join(options("data"))):
        task_class("mnis")


def test_a_second_look_costs_nothing(published, tmp_path):
    """A sweep in one process looks for its data once, not once a run."""
    folder = published.write(tmp_path / "MNIST" / "raw")
    sources = {"mnist": published.source}
    first = locate("mnist", tmp_path, sources=sources)
    for path in folder.iterdir():
        path.unlink()  # a second look would now find nothing
    assert locate("mnist", tmp_path, sources=sources) is first


def test_a_worker_takes_over_what_its_parent_located(tmp_path):
    """Workers neither hash nor probe: these files do not even exist."""
    located = Located("mnist", "mnist", (("/none/train", "0" * 32),) * 4, "f" * 64, "")
    remember(pickle.loads(pickle.dumps(located)), tmp_path)
    assert locate("mnist", tmp_path) == located
    assert json.loads(json.dumps(asdict(located)))["fingerprint"] == "f" * 64


def test_locating_does_not_load_torch():
    """A process that only plans must not wait for it."""
    program = (
        "import sys, pathlib; from mnist_seq.config.reference import default_data;"
        "from mnist_seq.tasks import locate, task_of;"
        "locate(task_of(default_data('mnist_5k')), pathlib.Path('data'));"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_a_name_lookup_that_hangs_ends_within_the_bound(tmp_path):
    """No socket timeout reaches getaddrinfo: a broken resolver holds a program for minutes."""
    program = (
        "import socket, sys, time, pathlib\n"
        "socket.getaddrinfo = lambda *args, **kwargs: time.sleep(60)\n"
        "from mnist_seq.config.reference import default_data\n"
        "from mnist_seq.tasks import locate, task_class\n"
        "task_class('mnist').patience_s = 1.0\n"
        "task = task_class('mnist')(default_data('mnist'))\n"
        "located = locate(task, pathlib.Path(sys.argv[1]))\n"
        "assert located.name == 'mnist_5k' and 'no answer within' in located.notice, located\n"
    )
    start = time.monotonic()
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, timeout=30)
    assert time.monotonic() - start < 10  # far below the 60 s of the hanging look-up
