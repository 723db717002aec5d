"""The pool's rules, with jobs that train nothing."""

import contextlib
import fcntl
import multiprocessing.util
import os
import pickle
import signal
import time
from collections.abc import Iterator
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest

from mnist_seq.runs import files
from mnist_seq.runs.folder import RunFolder
from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.sweep.pool.fork_server import (
    LOCK,
    remove_abandoned,
    start_fork_server,
    stop_fork_server,
)
from mnist_seq.sweep.pool.jobs import Outcome, Policy, PoolJob
from mnist_seq.sweep.pool.pool import Pool
from mnist_seq.sweep.pool.views import LedgerView
from tests.conftest import ROOT
from tests.sweep.odd_jobs import OddWork


@pytest.fixture(scope="module", autouse=True)
def fork_server() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.delenv("OMP_NUM_THREADS", raising=False)
        start_fork_server(1)
        try:
            yield
        finally:
            stop_fork_server()


class Bench:
    """Runs jobs, named after what they do, in a folder."""

    def __init__(self, path: Path) -> None:
        self.folder = SweepFolder(path)
        self.kinds: dict[str, str] = {}

    def pool(self, jobs: dict[str, str], *, slots: Any = 1, views: Any = (), **policy: Any) -> Pool:
        self.kinds.update(jobs)
        environments = [{}] * slots if isinstance(slots, int) else slots
        views = [LedgerView(self.folder), *views]
        return Pool(slots=environments, policy=Policy(**policy), views=views)

    def job(self, name: str, expected_s: float = 0.0) -> PoolJob:
        folder = self.folder.run(name)
        work = OddWork(self.kinds[name], folder.path)
        return PoolJob(name, folder, lambda: pickle.dumps(work), expected_s)

    def run(self, jobs: dict[str, str], **options: Any) -> dict[str, Outcome]:
        self.last = self.pool(jobs, **options)
        return {o.job.name: o for o in self.last.run([self.job(name) for name in jobs])}

    def ledger(self) -> list[tuple[str, str]]:
        return [(row["run"], row["change"]) for row in self.folder.ledger()]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_failed_job_is_tried_again_as_often_as_asked(bench: Bench) -> None:
    outcomes = bench.run({"a": "fail twice", "b": "finish"}, retries=2)
    assert outcomes["a"].state == "finished"
    assert outcomes["a"].job.attempt == 2
    assert bench.ledger()[:4] == [
        ("a", "started"), ("a", "failed"), ("a", "retried"), ("a", "started")]  # fmt: skip
    outcomes = bench.run({"c": "fail twice"}, retries=1)
    assert outcomes["c"].state == "failed"


def test_on_failure_stop_starts_nothing_more(bench: Bench) -> None:
    outcomes = bench.run({"a": "fail", "b": "finish"}, on_failure="stop")
    assert list(outcomes) == ["a"]
    assert bench.last.stop_reason == "a failed, and sweep.on_failure=stop"
    assert bench.folder.run("b").state() == "absent"


def test_runs_that_fail_alike_stop_the_sweep_early(bench: Bench) -> None:
    """A typo in a cell fails 300 runs in one way; three of them are enough to know."""
    kinds = {f"seed={seed}": "fail" for seed in range(5)}
    outcomes = bench.run(kinds, stop_after_same_failures=3)
    assert list(outcomes) == ["seed=0", "seed=1", "seed=2"], "the same but for numbers and paths"
    assert "the first 3 runs failed alike (ValueError: no luck with" in bench.last.stop_reason


def test_a_success_or_another_fault_lets_the_sweep_go_on(bench: Bench) -> None:
    kinds = {"a": "finish", "b": "fail", "c": "fail", "d": "fail"}
    assert len(bench.run(kinds, stop_after_same_failures=2)) == 4
    kinds = {"e": "fail", "f": "damage", "g": "fail"}
    assert len(bench.run(kinds, stop_after_same_failures=2)) == 3


def test_a_job_over_its_time_ends_with_all_that_it_started(bench: Bench) -> None:
    """A job that hangs for ever would hold its slot, and its helpers the machine."""
    outcomes = bench.run({"a": "linger", "b": "finish"}, timeout_s=2.0, grace_s=0.5)
    assert outcomes["a"].state == "failed"
    assert outcomes["a"].reason == "timeout after 2 s (sweep.timeout)"
    assert outcomes["b"].state == "finished"
    child = int((bench.folder.run("a").path / "child").read_text())
    deadline = time.monotonic() + 5
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(child)


def is_alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return False


def test_a_damaged_result_is_named_and_fails_its_run_alone(bench: Bench) -> None:
    outcomes = bench.run({"a": "damage", "b": "finish"})
    assert outcomes["a"].state == "failed"
    assert "result.json must hold JSON" in outcomes["a"].reason
    assert outcomes["b"].state == "finished"


def test_longer_jobs_start_first_and_equal_ones_in_the_order_of_the_command(bench: Bench) -> None:
    """The longest job started last would keep one worker busy while the others are done."""
    expected = {"a": 1.0, "b": 5.0, "c": 0.0, "d": 1.0}  # c: as long as the others on average
    bench.pool(dict.fromkeys(expected, "finish")).run(
        [bench.job(name, seconds) for name, seconds in expected.items()]
    )
    assert [run for run, change in bench.ledger() if change == "started"] == ["b", "c", "a", "d"]


def test_each_slot_has_its_own_environment_and_one_thread(bench: Bench) -> None:
    """A job sees its own GPU alone; two threads a job make two jobs twice as slow on two cores."""
    slots = [{"CUDA_VISIBLE_DEVICES": "0"}, {"CUDA_VISIBLE_DEVICES": "3"}]
    bench.run({"a": "environment", "b": "environment"}, slots=slots)
    records = [files.read_json(bench.folder.run(name).record_path) for name in "ab"]
    assert [r["CUDA_VISIBLE_DEVICES"] for r in records] == ["0", "3"]
    assert [r["OMP_NUM_THREADS"] for r in records] == ["1"] * 2


def test_a_dead_fork_server_costs_the_jobs_at_work_and_no_more(bench: Bench) -> None:
    """The system's out-of-memory killer may choose it; it is started again."""

    class Killer:
        def started(self, job: PoolJob, slot: int) -> None:
            if job.name == "a":
                os.kill(forkserver._forkserver._forkserver_pid, signal.SIGKILL)  # type: ignore[attr-defined]

        def event(self, job: PoolJob, event: Any) -> None: ...
        def ended(self, outcome: Outcome, *, is_retried: bool) -> None: ...
        def stopping(self, reason: str) -> None: ...

    outcomes = bench.run({"a": "linger", "b": "finish"}, views=[Killer()])
    assert {name: o.state for name, o in outcomes.items()} == {"a": "failed", "b": "finished"}


def test_a_view_that_cannot_write_stops_nothing(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """The terminal may be closed, or the disk with the ledger be full; the runs go on."""

    class Closed:
        def started(self, job: PoolJob, slot: int) -> None:
            raise BrokenPipeError(32, "Broken pipe")

        event = ended = stopping = started

    closed: Any = Closed()
    closed.ended = lambda *_, **__: closed.started(None, 0)
    outcomes = bench.run({"a": "finish", "b": "finish"}, views=[closed])
    assert {o.state for o in outcomes.values()} == {"finished"}
    assert caplog.text.count("goes on without a word") == 1


def test_the_ledger_is_readable_while_the_sweep_runs(bench: Bench) -> None:
    """Another terminal, or a script, wants to know how far it is."""
    seen: list[list[str]] = []

    class Reader:
        def started(self, job: PoolJob, slot: int) -> None:
            seen.append([row["change"] for row in SweepFolder(bench.folder.path).ledger()])

        def event(self, job: PoolJob, event: Any) -> None: ...
        def ended(self, outcome: Outcome, *, is_retried: bool) -> None: ...
        def stopping(self, reason: str) -> None: ...

    bench.run({"a": "finish", "b": "fail", "c": "finish"}, views=[Reader()])
    assert seen == [
        ["started"],
        ["started", "finished", "started"],
        ["started", "finished", "started", "failed", "started"],
    ]
    row = bench.folder.ledger()[3]
    assert row["reason"] == "ValueError: no luck with b at try 0"
    assert RunFolder(bench.folder.path / "b").error().splitlines()[-1] == row["reason"]


def test_folders_of_sockets_of_killed_commands_are_removed(tmp_path: Path) -> None:
    """One stayed in TMPDIR after each kill -9; those of others, and of living commands, stay."""
    dead, alive, foreign = (tmp_path / f"pymp-{name}" for name in ("dead", "alive", "foreign"))
    for folder in (dead, alive, foreign):
        folder.mkdir()
        (folder / "listener-x").touch()
    (dead / LOCK).touch()
    fd = os.open(alive / LOCK, os.O_RDWR | os.O_CREAT)
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        remove_abandoned(tmp_path)
    finally:
        os.close(fd)
    assert sorted(tmp_path.iterdir()) == [alive, foreign]
    own = Path(multiprocessing.util.get_temp_dir())
    assert (own / LOCK).exists()
    remove_abandoned(own.parent)
    assert own.exists()
