"""SIGINT, SIGTERM and SIGHUP, sent by the operating system to a real sweep or a real run."""

import contextlib
import importlib.util
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mnist_seq.runs.folder import RunFolder
from mnist_seq.runs.stop_signals import STOP_SIGNALS, name_of
from mnist_seq.sweep.pool.worker import LOG
from tests import warm
from tests.conftest import some
from tests.sweep.conftest import (
    SMALL,
    SweepRunner,
    changes,
    gone,
    numbers,
    processes_of,
    sweep_env,
    wait_until,
)

# 480 steps, and no checkpoint but the one that a signal asks for
WORDS = [*SMALL[:3], "model.hidden=8", "data.limit=1200", "training.epochs=40",
         "training.eval_every=12", "training.checkpoint_every=100000"]  # fmt: skip
SEEDS = ["seed=0,1", "sweep.baseline=none", "sweep.name=s"]
NAMES = ["seed=0", "seed=1"]
ENGINES = ["pool", "stack", "joblib"]
CASES = [
    (engine, signum, who, times)
    for engine in ENGINES
    for signum in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    for who in ("group", "command", "fork server", "worker")
    for times in (1, 2)
    if (engine, who) != ("joblib", "fork server")
]
CASES.sort(key=lambda case: case != ("pool", signal.SIGTERM, "group", 2))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What the runs measure when nothing stops them."""
    runner = SweepRunner(tmp_path_factory.mktemp("whole"))
    runner(*WORDS, *SEEDS)
    yield {name: numbers(runner.sweep("s").run(name)) for name in NAMES}
    runner.close()


def at_work(runs: list[RunFolder]) -> bool:
    return all(run.metrics_path.exists() and run.metrics() for run in runs)


def worker_of(folder: Path) -> int:
    """A process whose output goes to the log of a run."""
    for pid in processes_of(folder):
        with contextlib.suppress(OSError):
            if os.path.basename(os.readlink(f"/proc/{pid}/fd/1")) == LOG:
                return pid
    raise AssertionError("no worker")


def fork_server_of(command: int, folder: Path) -> int:
    """The child of the command whose own children are the workers."""
    worker = worker_of(folder)
    parent = int(Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1])
    assert parent != command
    return parent


def send(process: "subprocess.Popen[str]", folder: Path, signum: int, who: str, times: int) -> None:
    match who:
        case "group":
            target = -process.pid
        case "command":
            target = process.pid
        case "fork server":
            target = fork_server_of(process.pid, folder)
        case _:
            target = worker_of(folder)
    for _ in range(times):
        with contextlib.suppress(ProcessLookupError):  # the first one may have ended it
            os.kill(target, signum)


@pytest.mark.parametrize(("engine", "signum", "who", "times"),
                         some(CASES, 20, pytest.mark.exhaustive))  # fmt: skip
@pytest.mark.slow
def test_a_stop_signal_loses_no_step_whoever_gets_it(
    sweep: SweepRunner, whole: dict[str, Any], engine: str, signum: int, who: str, times: int
) -> None:
    """A closed terminal, `timeout` and systemd send theirs to the whole group, and some twice."""
    if engine == "joblib" and importlib.util.find_spec("joblib") is None:
        pytest.skip("pip install '.[joblib]'")
    one = ["hydra.launcher.workers=1"] * (engine == "stack")  # two of them would train a run each
    words = [*WORDS, *SEEDS, f"hydra/launcher={engine}", *one]
    process = sweep.start(*words)
    folder = sweep.sweep("s")
    wait_until(lambda: at_work([folder.run(name) for name in NAMES]), process)
    send(process, sweep.folder, signum, who, times)
    output, _ = process.communicate(timeout=120)
    assert ("1 stack of 2 runs" in output) == (engine == "stack"), output
    assert "Traceback" not in output
    assert not changes(folder, "failed"), output
    stopped = {name for name in NAMES if folder.run(name).state() == "interrupted"}
    match who:
        case "group" | "command":
            assert process.returncode == 128 + signum, output
            assert stopped, output
        case "worker":  # the others go on
            assert process.returncode == 1, output
            assert len(stopped) == (2 if engine == "stack" else 1), output
        case _:  # it only starts the jobs, and they go on
            assert (process.returncode, stopped) == (0, set()), output
    if stopped:
        assert "to go on: " in output
    assert all(folder.run(name).checkpoint_path.exists() for name in stopped), output
    assert gone(sweep.folder, 10)
    output = sweep(*words)
    if engine != "stack":
        assert {name: numbers(folder.run(name)) for name in NAMES} == whole
    for name in stopped:
        log = (folder.run(name).path / LOG).read_text()
        assert not re.search(r"resumed at step 0\b", log)
        assert "resumed at step" in log


ALONE = [(signum, who, times) for signum in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)
         for who in ("group", "command") for times in (2, 1)]  # fmt: skip


@pytest.mark.parametrize(("signum", "who", "times"), some(ALONE, 5, pytest.mark.exhaustive))
@pytest.mark.slow
def test_a_stop_signal_loses_no_step_of_a_run_alone(
    sweep: SweepRunner, whole: dict[str, Any], signum: int, who: str, times: int
) -> None:
    """A second one comes while the checkpoint is being written."""
    words = [*WORDS, "seed=0", "hydra.run.dir=run"]
    run = RunFolder(sweep.folder / "run")
    process = warm.Popen(
        [sys.executable, "-m", "mnist_seq.train", *words],
        cwd=sweep.folder,
        env=sweep_env(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    wait_until(lambda: at_work([run]), process)
    send(process, sweep.folder, signum, who, times)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signum, output
    assert "Traceback" not in output
    assert re.search(rf"interrupted by {name_of(signum)}; to go on: ", output), output
    assert run.checkpoint_path.exists()
    sweep.alone(*words)
    assert numbers(run) == whole["seed=0"]


@pytest.mark.slow
def test_a_terminal_that_is_closed_loses_no_step_of_a_run(sweep: SweepRunner) -> None:
    """Nothing can be printed any more, and the run still ends as stopped, not as failed."""
    run = RunFolder(sweep.folder / "run")
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(sweep.folder)
        words = ["-m", "mnist_seq.train", *WORDS, "seed=0", "hydra.run.dir=run"]
        os.execve(sys.executable, [sys.executable, *words], sweep_env())
    try:
        wait_until(lambda: bool(os.read(terminal, 1 << 16)) and at_work([run]))
    finally:
        os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 128 + signal.SIGHUP
    assert (run.state(), run.checkpoint_path.exists()) == ("interrupted", True)


BEGIN = """
import os, signal, sys
from mnist_seq.runs import stop_signals

def main():
    {body}

stop_signals.guarded(main, line="; nothing is lost")
print("the end")
"""
STOP = "os.kill(os.getpid(), signal.SIG{name})"
LOST = {
    "plain": STOP,
    # as OmegaConf does
    "another error": f"""
    try:
        {STOP}
    except BaseException:
        raise AttributeError("full_key: hydra.runtime.config_sources")""",
    # Python prints and drops what is raised there
    "dropped": f"""
    class Odd:
        def __del__(self):
            {STOP}
    Odd()
    while True:
        pass""",
    "twice": f"""
    try:
        {STOP}
    finally:
        {STOP}""",
    "at the exit": f"""
    import atexit, logging
    logging.basicConfig(level=logging.INFO)
    atexit.register(logging.info, "cache stats")
    {STOP}""",
}


def run_code(body: str) -> "subprocess.CompletedProcess[str]":
    return warm.run(
        [sys.executable, "-c", BEGIN.format(body=body.strip())],
        env=sweep_env(),
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("signum", STOP_SIGNALS)
@pytest.mark.parametrize("how", LOST)
def test_outside_training_a_stop_signal_is_one_line_and_its_exit_code(
    how: str, signum: signal.Signals
) -> None:
    """Libraries replace, drop and log what they meet; nobody who pressed Ctrl-C wants to know."""
    done = run_code(LOST[how].format(name=signum.name[3:]))
    assert (done.returncode, done.stdout) == (128 + signum, "")
    assert done.stderr == f"interrupted by {name_of(signum)}; nothing is lost\n"


def test_a_signal_that_nohup_ignores_stays_ignored() -> None:
    done = run_code(STOP.format(name="HUP"))
    assert done.returncode == 129
    code = f"signal.signal(signal.SIGHUP, signal.SIG_IGN)\n{BEGIN}"
    code = "import signal\n" + code.format(body=STOP.format(name="HUP"))
    done = warm.run([sys.executable, "-c", code], env=sweep_env(), capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "the end\n", "")


def run_code_in(folder: Path, code: str) -> "subprocess.CompletedProcess[str]":
    return warm.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=sweep_env(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


# SIGINT at the moment when a module is imported
SIGNAL_AT = """
import os, signal, sys

class SignalAt:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r} and sys.meta_path[0] is self:
            del sys.meta_path[0]
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, SignalAt())
"""
ENTRY = f"""
from mnist_seq import train
{SIGNAL_AT}sys.argv = ["train", "-m", "seed=0,1", "sweep.name=s", "tracker=none"]
train.main()
"""


@pytest.mark.parametrize("module", some(["mnist_seq.command", "mnist_seq.config.parse",
                                         "hydra_plugins.mnist_seq.sweeper",
                                         "mnist_seq.sweep.plan.planner",
                                         "mnist_seq.sweep.session"], 2))  # fmt: skip
def test_ctrl_c_while_a_sweep_imports_or_plans_is_one_line(tmp_path: Path, module: str) -> None:
    """That is when a mistake in the command is seen; modules stand for the moments."""
    done = run_code_in(tmp_path, ENTRY.format(module=module))
    said = "interrupted by Ctrl-C while nothing was training; the same command goes on\n"
    assert (done.returncode, done.stdout + done.stderr) == (130, said)
    assert gone(tmp_path, 10)


PROGRAM = f"""
import runpy
{SIGNAL_AT}sys.argv = ["x", "sweep=s"]
runpy.run_module({{program!r}}, run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize(("program", "module", "says"), some([
    ("mnist_seq.compare", "mnist_seq.config.schema", "; nothing has begun"),
    ("mnist_seq.compare", "mnist_seq.config.hydra_errors", ""),
    ("mnist_seq.sync", "mnist_seq.config.hydra_errors", "; the same command goes on"),
    ("mnist_seq.sync", "mnist_seq.command", "; nothing has begun"),
    ("mnist_seq.status", "mnist_seq.command", "; nothing has begun"),
], 2))  # fmt: skip
def test_ctrl_c_while_a_command_imports_is_one_line(
    tmp_path: Path, program: str, module: str, says: str
) -> None:
    """A second goes by before the command's own code begins, and a traceback has nothing to say."""
    done = run_code_in(tmp_path, PROGRAM.format(program=program, module=module))
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == f"interrupted by Ctrl-C{says}\n"
    assert not list(tmp_path.iterdir())
