"""The library is compiled once, by one process, and what stands in its way is one line."""

import platform
import runpy
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mnist_seq.native import Library, Unavailable, library
from mnist_seq.native import build as build_module
from mnist_seq.native.build import build, find_compiler
from mnist_seq.native.check import checked
from mnist_seq.system import cache_folder
from tests.conftest import needs_compiler

pytestmark = needs_compiler


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MNIST_SEQ_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "native"


def script(folder: Path, text: str) -> list[str]:
    """A compiler of ours."""
    path = folder / "compiler"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return [str(path)]


def test_the_cache_is_where_users_expect_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MNIST_SEQ_CACHE", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "mnist_seq"
    monkeypatch.setenv("MNIST_SEQ_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"


def test_where_many_build_at_once_one_compiles(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pool starts its workers together; the others wait and take what the first has made."""
    copy = 'echo one >> "$LOG"; while [ "$1" != -o ]; do shift; done; echo made > "$2"'
    command = script(tmp_path, f'[ "$1" = --version ] && exit 0\n{copy}')
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    with ThreadPoolExecutor(4) as threads:  # each has the lock file open for itself
        (path,) = set(threads.map(lambda _: build(compiler=command), range(4)))
    assert path.read_text() == "made\n"
    assert (tmp_path / "log").read_text() == "one\n"
    assert {path.suffix for path in own_cache.iterdir()} <= {".so", ".sha256", ".lock"}


def test_a_library_that_lacks_bytes_is_compiled_anew(own_cache: Path, tmp_path: Path) -> None:
    """As after a full disk; loading it would end the process without a word."""
    command = script(
        tmp_path,
        '[ "$1" = --version ] && exit 0\nwhile [ "$1" != -o ]; do shift; done; echo made > "$2"',
    )
    path = build(compiler=command)
    path.write_text("ma")
    assert build(compiler=command) == path
    assert path.read_text() == "made\n"


def test_an_arm_needs_no_word_that_apples_clang_refuses(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse = 'case "$*" in *-march*) echo "error: unsupported argument" >&2; exit 1;; esac'
    made = 'while [ "$1" != -o ]; do shift; done; echo made > "$2"'
    command = script(tmp_path, f'[ "$1" = --version ] && exit 0\n{refuse}\n{made}')
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    on_arm = runpy.run_path(build_module.__file__)
    assert on_arm["build"](compiler=command).read_text() == "made\n"


def test_what_stands_in_the_way_is_one_line(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run goes on by torch, and says this line."""
    fails = script(tmp_path, "echo 'net.cpp:1: error: no such thing' >&2; exit 1")
    with pytest.raises(Unavailable, match=r"could not compile .*: net.cpp:1: error: no such") as at:
        build(compiler=fails)
    assert "\n" not in str(at.value)
    assert not list(own_cache.glob("*.so"))
    (tmp_path / "no_library.so").touch()
    with pytest.raises(Unavailable, match="cannot be loaded") as at:
        checked(tmp_path / "no_library.so")
    assert "\n" not in str(at.value)
    (tmp_path / "file").touch()
    monkeypatch.setenv("MNIST_SEQ_CACHE", str(tmp_path / "file"))
    with pytest.raises(Unavailable, match="set MNIST_SEQ_CACHE to another one"):
        build(compiler=script(tmp_path, "exit 0"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Unavailable, match=r"no C\+\+ compiler .*pip install"):
        find_compiler()


def test_a_compiler_that_cannot_be_used_is_one_line_too(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The words of CXX, programs that do not start, do not end or say nothing, and a full disk."""
    for words in ("no-such-compiler -O2", "g++ 'open"):
        monkeypatch.setenv("CXX", words)
        with pytest.raises(Unavailable, match="CXX names no program: CXX="):
            find_compiler()
    (empty := tmp_path / "empty").touch(0o755)
    with pytest.raises(Unavailable, match=r"cannot be started: .*empty: Exec format error"):
        build(compiler=[str(empty)])
    full = "echo 'ld: final link failed: No space'; echo 'error: ld returned 1 exit status'; exit 1"
    for text, why in (
        (full, "native step: ld: final link failed: No space"),
        ("exit 3", "status 3"),
    ):
        with pytest.raises(Unavailable, match=why):
            build(compiler=script(tmp_path, text))
    # its child holds the streams open, and would go on
    hangs = script(tmp_path, '[ "$1" = --version ] || tail -f /dev/null')
    monkeypatch.setattr("mnist_seq.native.build.LIMIT_S", 0.3)
    with pytest.raises(Unavailable, match=r"did not end within 0\.3 s"):
        build(compiler=hangs)
    assert not list(own_cache.glob("*.so"))


def test_a_user_without_a_home_folder_is_told_of_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MNIST_SEQ_CACHE", "LOCALAPPDATA", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)

    def fails(*_: object) -> Path:  # as where the user has no entry in the system's list
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("mnist_seq.system.Path.home", fails)
    with pytest.raises(Unavailable, match="Set MNIST_SEQ_CACHE"):
        build(compiler=script(tmp_path, "exit 0"))


def test_a_library_that_computes_something_else_is_not_used(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, native_library: Library
) -> None:
    """As one by a compiler that was told to be fast rather than right; each process asks again."""
    copy = tmp_path / "other.so"
    copy.write_bytes(native_library.path.read_bytes())
    monkeypatch.setattr("mnist_seq.native.check.WORST", 1e-9)
    for _ in range(2):
        with pytest.raises(
            Unavailable, match=r"not used: its gradients of lstm .* are not torch's"
        ):
            checked(copy)
    monkeypatch.setattr("mnist_seq.native.check.WORST", 1e-4)
    assert checked(copy).lanes == native_library.lanes
    assert copy.with_suffix(".checked").exists()


def test_a_compiler_that_fails_is_asked_once(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan asks for each variant, and a compiler that hangs takes minutes each time."""
    monkeypatch.setenv("CXX", shlex.join(script(tmp_path, 'echo asked >> "$LOG"; exit 1')))
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    for _ in range(2):
        with pytest.raises(Unavailable, match="could not compile"):
            library()
    assert (tmp_path / "log").read_text() == 2 * "asked\n"  # --version, and to compile


def test_a_checked_library_is_found_without_torch(native_library: Library) -> None:
    """A plan asks for it, and torch takes longer to import than a plan takes."""
    code = "import sys; from mnist_seq import native; print(native.library().lanes); "
    code += "print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(native_library.lanes), "False"]


def test_a_library_that_another_user_may_have_put_there_is_not_loaded(own_cache: Path) -> None:
    own_cache.mkdir(parents=True)
    own_cache.chmod(0o777)
    with pytest.raises(Unavailable, match=r"others can write .* set MNIST_SEQ_CACHE"):
        build()
