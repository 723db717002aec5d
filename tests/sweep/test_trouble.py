"""What goes wrong in a sweep stays with its run; the same command puts it right, bit for bit."""

import os
import re
import shlex
import signal
import subprocess
from typing import Any

import pytest

from tests.conftest import some
from tests.sweep.conftest import (
    NAMES,
    SIX,
    SMALL,
    SweepRunner,
    changes,
    gone,
    numbers,
    processes_of,
    wait_until,
)

WORDS = [*SMALL, *SIX, "sweep.name=s"]


def finished(sweep: SweepRunner) -> set[str]:
    return {r.path.name for r in sweep.sweep("s").runs() if r.state() == "finished"}


def starts(sweep: SweepRunner, *, since: int = 0) -> list[str]:
    rows = sweep.sweep("s").ledger()[since:]
    return [row["run"] for row in rows if row["change"] == "started"]


def equals(sweep: SweepRunner, undisturbed: dict[str, Any]) -> bool:
    return {name: numbers(sweep.sweep("s").run(name)) for name in NAMES} == undisturbed


def test_each_kind_of_failure_stays_with_its_run(
    sweep: SweepRunner, undisturbed: dict[str, Any]
) -> None:
    """Other launchers lose the batch to one dead worker, and name the first failure only.

    Run 3 of 6 is killed by signal 9 while it trains.
    """
    kinds = dict(zip(NAMES, ["raise", "exit", "kill", "allocate", "segfault"], strict=False))
    sweep.trouble(**kinds)
    output = sweep(*WORDS, code=1)
    folder = sweep.sweep("s")
    assert finished(sweep) == {NAMES[5]}
    assert "5 failed" in output
    says = ["the job's own fault", "exit code 1", "SIGKILL", "MemoryError", "SIGSEGV"]
    for name, text in zip(NAMES, says, strict=False):
        log = re.escape(f"outputs/sweeps/s/{name}/log.txt")
        assert re.search(rf"  {re.escape(name)}: .*{text}.*\n    {log}", output), output
        assert folder.run(name).state() == "failed"
    assert "Segmentation fault" in (folder.run(NAMES[4]).path / "log.txt").read_text()
    assert "Traceback" in (folder.run(NAMES[0]).path / "log.txt").read_text()
    assert sorted(changes(folder, "failed")) == sorted(NAMES[:5])
    before = len(folder.ledger())
    sweep.no_trouble()
    command = re.search(r"to go on: (.*)$", output, re.MULTILINE)
    assert command
    assert shlex.split(command[1])[3:] == ["-m", *WORDS], "the command as it was typed"
    output = sweep(*WORDS)
    assert sorted(starts(sweep, since=before)) == sorted(NAMES[:5]), "exactly the missing runs"
    assert changes(folder, "reused") == [NAMES[5]]
    assert equals(sweep, undisturbed)
    assert "5 to try again after a failure" in output
    assert "6 of 6 runs done, 1 of them before" in output
    assert "resumed at step 8" in (folder.run(NAMES[2]).path / "log.txt").read_text()


@pytest.mark.slow
def test_after_a_kill_of_the_sweep_itself_no_process_is_left_and_nothing_is_lost(
    sweep: SweepRunner, undisturbed: dict[str, Any]
) -> None:
    """Other launchers' workers run on without their parent, into the next sweep's folders."""
    sweep.trouble(**{NAMES[4]: "slow"})
    process = sweep.start(*WORDS)
    wait_until(lambda: len(finished(sweep)) >= 3, process)
    process.kill()
    process.communicate()
    sweep.no_trouble()
    done, before = finished(sweep), len(sweep.sweep("s").ledger())
    output = sweep(*WORDS)  # at once: what is left of the killed sweep is waited for
    assert gone(sweep.folder, 15)
    again = set(starts(sweep, since=before))
    assert again.isdisjoint(done)
    assert again | done == set(NAMES)
    assert equals(sweep, undisturbed), output


@pytest.mark.parametrize("signum", some([signal.SIGINT, signal.SIGTERM], 1))
@pytest.mark.slow
def test_a_signal_saves_the_running_jobs_and_prints_the_command_that_goes_on(
    sweep: SweepRunner, undisturbed: dict[str, Any], signum: int
) -> None:
    """Ctrl-C reaches the whole group of processes; schedulers send SIGTERM to the first one."""
    words = [*SMALL, *SIX, "sweep.name=s"]
    process = sweep.start(*words, "hydra.launcher.workers=1")
    wait_until(lambda: any(sweep.folder.rglob("model=rnn,seed=0/checkpoint.pt")), process)
    if signum == signal.SIGINT:
        os.killpg(process.pid, signum)
    else:
        process.send_signal(signum)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signum, output
    assert "Traceback" not in output
    assert "to go on: python -m mnist_seq.train -m " in output
    assert gone(sweep.folder, 3)
    folder = sweep.sweep("s")
    last = {row["run"]: row["change"] for row in folder.ledger()}
    assert set(last.values()) <= {"finished", "interrupted", "planned"}, last
    assert all(folder.run(name).state() == "finished" for name in last if last[name] == "finished")
    if signum == signal.SIGINT:
        sweep(*words)
        assert equals(sweep, undisturbed)


@pytest.mark.slow
def test_ctrl_c_twice_ends_jobs_that_do_not_listen(sweep: SweepRunner) -> None:
    """A job that hangs in native code never reads the first signal."""
    sweep.trouble(**dict.fromkeys(NAMES, "linger"))
    process = sweep.start(*WORDS)
    wait_until(lambda: len(list(sweep.folder.glob("lingering.*"))) == 2, process)
    os.killpg(process.pid, signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=1.5)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=10)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    assert not processes_of(sweep.folder)
    assert len(changes(sweep.sweep("s"), "interrupted")) == 2


@pytest.mark.slow
def test_a_second_sweep_of_one_name_is_refused_and_a_dead_ones_lock_is_free(
    sweep: SweepRunner,
) -> None:
    """Two commands in one folder would train every run twice, into the same files."""
    words = [*SMALL, "model.hidden=8", "seed=0,1", "sweep.name=s"]
    sweep.trouble(**{"seed=0": "slow", "seed=1": "slow"})
    first = sweep.start(*words)
    wait_until(lambda: any(sweep.folder.rglob("metrics.jsonl")), first)
    output = sweep(*words, code=1)
    assert f"a sweep takes one command at a time: {sweep.sweep('s').path} is being" in output
    assert f"by process {first.pid} on " in output
    assert len(output.strip().splitlines()) == 1
    first.kill()
    first.communicate()
    assert (sweep.sweep("s").path / ".lock").exists(), "the dead one's lock lies there"
    sweep.no_trouble()
    sweep(*words)
    assert finished(sweep) == {"seed=0", "seed=1"}


@pytest.mark.slow
def test_nothing_leaks_from_one_job_into_the_next(
    sweep: SweepRunner, undisturbed: dict[str, Any]
) -> None:
    """A job sets default dtype, threads, grad mode and random state; others run after it."""
    sweep.trouble(**{NAMES[5]: "leak"})
    words = [*SMALL, "model=rnn,lstm", "model.hidden=8", "seed=2,0,1", "sweep.name=s"]
    sweep(*words, "hydra.launcher.workers=1", code=1)
    found = {n: numbers(sweep.sweep("s").run(n)) for n in NAMES[:5]}
    assert found == {name: undisturbed[name] for name in NAMES[:5]}
