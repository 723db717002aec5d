"""What systems do differently, as far as one system can show it."""

import ast
import logging
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from mnist_seq import system, train
from mnist_seq.runs import stop_signals
from tests.conftest import ROOT


class InUse(PermissionError):
    """What Windows raises while another process has a file open."""

    winerror = 32


def test_a_file_is_replaced_once_nobody_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "new").write_text("new")
    real, times = os.replace, 0

    def replace(source: Any, target: Any) -> None:
        nonlocal times
        times += 1
        if times < 3:
            raise InUse(13, "The process cannot access the file")
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    system.replace(tmp_path / "new", tmp_path / "old")
    assert (times, (tmp_path / "old").read_text()) == (3, "new")


def test_a_file_that_stays_in_use_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def replace(source: Any, target: Any) -> None:
        raise InUse(13, "The process cannot access the file")

    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(system, "REPLACE_S", 0.0)
    with pytest.raises(InUse):
        system.replace("a", "b")


def test_no_right_is_an_error_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it waits"))

    def replace(source: Any, target: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(PermissionError):
        system.replace("a", "b")


@pytest.mark.parametrize(
    ("word", "there"),
    [
        ("model.hidden=64", "model.hidden=64"),
        (r"hydra.sweep.dir=C:\Users\me", r"hydra.sweep.dir=C:\Users\me"),
        ("model=lstm,gru", '"model=lstm,gru"'),  # PowerShell splits at a comma
        ("seed=range(5)", '"seed=range(5)"'),
        ("", '""'),
        ("a b", '"a b"'),
        ("hydra.run.dir='a b'", "\"hydra.run.dir='a b'\""),
        ('x="y"', r'"x=\"y\""'),
    ],
)
def test_a_word_for_the_shells_of_windows(word: str, there: str) -> None:
    assert system.shell_word(word, is_windows=True) == there


def test_no_text_of_ours_quotes_an_override_for_sh_alone() -> None:
    """cmd.exe passes single quotes on: "key=range(3)" is what all shells read."""
    for path in (ROOT / "mnist_seq").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found = re.search(r"(?<![(\"=])'[a-z][\w./]*=[^'\n]*[(\[][^'\n]*'", node.value)
                assert found is None, f"{path.name}: {found}"


def test_a_word_for_sh() -> None:
    assert system.shell_word("seed=range(5)", is_windows=False) == "'seed=range(5)'"


@pytest.mark.parametrize("way", ["pthread_kill", "raise_signal"])
def test_a_signal_is_treated_in_the_main_thread(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """Sent from another thread, by POSIX's way and without it."""
    if way == "raise_signal":
        monkeypatch.delattr(signal, "pthread_kill")
    seen: list[threading.Thread] = []
    before = signal.signal(signal.SIGTERM, lambda *_: seen.append(threading.current_thread()))
    try:
        sender = threading.Thread(target=system.signal_this_process, args=(signal.SIGTERM,))
        sender.start()
        sender.join()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == [threading.main_thread()]


@pytest.mark.parametrize("has_groups", [True, False])
def test_what_a_process_has_started_ends_with_it(
    monkeypatch: pytest.MonkeyPatch, has_groups: bool
) -> None:
    child = "import time; print(1, flush=True); time.sleep(60)"
    parent = (
        "import subprocess, sys\n"
        f"p = subprocess.Popen([sys.executable, '-c', {child!r}], stdout=subprocess.PIPE)\n"
        "p.stdout.readline(); print(p.pid, flush=True); p.wait()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    grandchild = psutil.Process(int(process.stdout.readline()))
    if not has_groups:
        monkeypatch.delattr(os, "killpg")
    system.kill_group(process.pid)
    process.wait(10)
    psutil.wait_procs([grandchild], 10)
    assert not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE
    process.stdout.close()


def test_more_pipes_than_the_system_can_wait_for() -> None:
    """Windows takes 64 at once, which 32 workers have."""
    pipes = [multiprocessing.Pipe() for _ in range(5)]
    ends = [end for end, _ in pipes]
    assert system.wait(ends, timeout_s=0, at_once=2) == []
    pipes[1][1].send(1)
    pipes[4][1].send(1)
    assert system.wait(ends, timeout_s=60, at_once=2) == [ends[1], ends[4]]
    assert set(system.wait(ends, timeout_s=60)) == {ends[1], ends[4]}
    for end in (end for pair in pipes for end in pair):
        end.close()


@pytest.mark.parametrize("end", ["", ".exe"])
def test_a_console_script_is_known_while_it_imports(
    monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr(sys, "argv", [f"bin/mnist-seq-compare{end}"])
    before = stop_signals.install(signal.SIG_DFL)
    try:
        stop_signals.while_importing("mnist_seq.compare", script="mnist-seq-compare")
        assert signal.getsignal(signal.SIGTERM) is stop_signals._end_at_once
    finally:
        stop_signals.restore(before, is_stopped=False)


def test_a_refused_run_closes_its_log_before_it_is_removed(tmp_path: Path) -> None:
    """Windows removes no open file, and the reason of the refusal would be lost."""
    folder = tmp_path / "run"
    folder.mkdir()
    handler = logging.FileHandler(folder / "train.log", encoding="utf-8")
    logging.getLogger().addHandler(handler)
    train._remove_unused(folder, [])
    assert handler not in logging.getLogger().handlers
    assert handler.stream is None
    assert not folder.exists()


def test_memory_and_cores() -> None:
    """Of this machine: in bytes, and in an order that must hold."""
    assert 2**20 < system.used_memory() <= system.peak_memory() < system.physical_memory()
    assert system.free_memory() > 0
    assert 1 <= system.cores() <= (os.cpu_count() or 1)
    assert system.cpu_name()
