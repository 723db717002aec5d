"""Joblib, Ray and submitit for real: the pool's folders and numbers, whatever happens to a run."""

import functools
import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import psutil
import pytest

from mnist_seq.config.paths import conf_dir
from mnist_seq.runs.folder import RunFolder
from mnist_seq.sweep.pool.jobs import Policy, PoolJob
from mnist_seq.sweep.pool.remote import RemotePool
from tests import warm
from tests.conftest import some
from tests.sweep.conftest import (
    SMALL,
    SweepRunner,
    changes,
    numbers,
    sweep_env,
    wait_until,
)

EXTRAS = {"joblib": "joblib", "ray": "ray", "submitit_local": "slurm"}
PACKAGES = {"joblib": "joblib", "ray": "ray", "submitit_local": "submitit"}
FOUR = [*SMALL, "model.hidden=8", "data.limit=1200", "seed=range(4)", "sweep.baseline=none",
        "sweep.name=s"]  # fmt: skip
NAMES = [f"seed={seed}" for seed in range(4)]
# Long enough to be interrupted: 480 steps
LONG = [*FOUR[:-3], "training.epochs=40", "seed=range(2)", *FOUR[-2:]]
os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # for the cluster and for its driver


def needs(engine: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        importlib.util.find_spec(PACKAGES[engine]) is None,
        reason=f"pip install '.[{EXTRAS[engine]}]'",
    )


ENGINES = [pytest.param(engine, marks=needs(engine)) for engine in EXTRAS]


@pytest.fixture(scope="module")
def by_pool(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the pool's runs measure."""
    runner = SweepRunner(tmp_path_factory.mktemp("pool"))
    runner(*FOUR)
    return {name: numbers(runner.sweep("s").run(name)) for name in NAMES}


def test_a_job_that_an_engine_does_not_take_fails_alone(tmp_path: Path) -> None:
    """A scheduler that refuses one submission has jobs of this sweep at work."""

    class Refusing:
        slots: ClassVar[list[dict[str, str]]] = [{}]

        def start(self, call: Any, slot: int) -> Any:
            raise RuntimeError(f"QOSMaxSubmitJobPerUserLimit: {Path(call.folder).name}")

        def close(self) -> None: ...

    jobs = [PoolJob(name, RunFolder(tmp_path / name), lambda: b"") for name in "ab"]
    pool = RemotePool(Refusing(), policy=Policy(), views=[])
    outcomes = pool.run(jobs)
    assert [outcome.state for outcome in outcomes] == ["failed", "failed"]
    assert "RuntimeError: QOSMaxSubmitJobPerUserLimit: b" in outcomes[1].reason


GROW = "import sys, time; sys.hoard = b'x' * (400 << 20); time.sleep(1.1)"


@needs("joblib")
@pytest.mark.slow
def test_a_worker_that_dies_between_two_jobs_is_replaced_and_one_that_grows_is_not() -> None:
    """The system's out-of-memory killer does not wait for a job; importing torch is no leak."""
    from mnist_seq.sweep.engines.joblib import JoblibEngine

    def called(call: Callable[[], Any] = os.getpid) -> Any:
        handle = engine.start(call, 0)  # type: ignore[arg-type]
        wait_until(handle.is_done)
        return handle.fault()

    engine = JoblibEngine([{}], threads=1)
    try:
        first = called()
        called(functools.partial(exec, GROW))
        assert called() == first
        os.kill(first, signal.SIGKILL)
        # Until loky has noticed, it takes jobs that are lost with the worker
        wait_until(lambda: engine._workers[0].executor._flags.broken is not None)
        second = called()
    finally:
        engine.close()
    assert second != first


@pytest.mark.slow
@pytest.mark.parametrize("engine", [e for e in ENGINES if e.values != ("ray",)])
def test_a_job_that_outlives_its_sweep_is_waited_for(sweep: SweepRunner, engine: str) -> None:
    """On Slurm a job goes on when the command is killed; two must never train in one folder."""
    words = [*LONG, f"hydra/launcher={engine}"]
    process = sweep.start(*words)
    folder = sweep.sweep("s")
    wait_until(lambda: any(folder.path.glob("*/checkpoint.pt")), process)
    process.kill()
    process.communicate()
    sweep(*words)
    assert {run.path.name for run in folder.runs() if run.state() == "finished"} == {*NAMES[:2]}
    for name in NAMES[:2]:
        steps = [row["step"] for row in folder.run(name).metrics()]
        assert steps == sorted(set(steps))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_stopped_run_names_the_command_of_its_sweep(sweep: SweepRunner, engine: str) -> None:
    """Its process was started by the engine, with words that no user can type."""
    words = [*LONG, f"hydra/launcher={engine}"]
    process = sweep.start(*words)
    folder = sweep.sweep("s")
    wait_until(lambda: any(folder.path.glob("*/checkpoint.pt")), process)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate()
    (command,) = re.findall("^to go on: (.*)$", output, re.M)
    assert command.startswith("python -m mnist_seq.train -m data=mnist_5k ")
    logs = [run.path / "log.txt" for run in folder.runs() if run.state() == "interrupted"]
    assert logs
    assert all(f"; to go on: {command}\n" in path.read_text() for path in logs)


@pytest.fixture
def ray_cluster(tmp_path: Path) -> Iterator[str]:
    """Two nodes on this machine, one CPU each; the second one has the resource `far`."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    ray = Path(sys.executable).parent / "ray"
    common = ["--num-cpus=1", "--object-store-memory=80000000", "--block", "--disable-usage-stats"]
    commands = [
        ["--head", f"--port={port}", "--node-ip-address=127.0.0.1", "--include-dashboard=false",
         *common],
        [f"--address=127.0.0.1:{port}", "--node-ip-address=127.0.0.1", '--resources={"far": 4}',
         *common],
    ]  # fmt: skip
    nodes: list[Any] = []
    try:
        for number, words in enumerate(commands):
            path = tmp_path / f"node{number}.log"
            with path.open("wb") as log:
                nodes.append(
                    subprocess.Popen(
                        [str(ray), "start", *words],
                        env=sweep_env(),
                        cwd=AWAY,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                    )
                )
            started = functools.partial(_says, path, "Ray runtime started")
            wait_until(started, nodes[-1])
        yield f"127.0.0.1:{port}"
    finally:
        for node in reversed(nodes):
            node.send_signal(signal.SIGTERM)
            try:
                node.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(node.pid, signal.SIGKILL)


def _says(path: Path, text: str) -> bool:
    return text in path.read_text()


AWAY = "/"  # any folder but the sweep's: relative paths must not hang on it


@needs("ray")
def test_a_ray_cluster_of_two_nodes(
    sweep: SweepRunner, by_pool: dict[str, Any], ray_cluster: str
) -> None:
    """The sweep joins a running cluster, uses both of its nodes, and leaves it running."""
    joined = ["hydra/launcher=ray", f"hydra.launcher.init.address={ray_cluster}"]
    words = [*FOUR, *joined]
    folder = sweep.sweep("s")
    sweep.trouble(**{"seed=1": "kill"})
    two = ["seed=0,1" if word.startswith("seed=") else word for word in words]
    output = sweep(*two, "+hydra.launcher.remote.resources.far=1", code=1)
    assert changes(folder, "finished") == ["seed=0"], output
    assert changes(folder, "failed") == ["seed=1"], output
    sweep.no_trouble()
    output = sweep(*words)
    assert "2 at once" in output
    assert sorted(changes(folder, "started")) == ["seed=0", "seed=1", "seed=1", "seed=2", "seed=3"]
    assert {name: numbers(folder.run(name)) for name in NAMES} == by_pool


@needs("ray")
def test_a_run_whose_ray_node_is_lost_goes_on_elsewhere(
    sweep: SweepRunner, by_pool: dict[str, Any], ray_cluster: str
) -> None:
    """Cheap nodes go at any time; that is no fault of a run."""
    words = [*FOUR, "hydra/launcher=ray", f"hydra.launcher.init.address={ray_cluster}"]
    sweep.trouble(**dict.fromkeys(NAMES, "slow"))
    process, folder = sweep.start(*words), sweep.sweep("s")
    wait_until(lambda: sum(r.checkpoint_path.exists() for r in folder.runs()) == 2, process)
    sweep.no_trouble()
    ours = psutil.Process().children(recursive=True)
    max((p for p in ours if p.name() == "raylet"), key=psutil.Process.create_time).kill()
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    assert len(changes(folder, "resubmitted")) == 1, output
    assert "stopped by Ray: its node was lost; it goes on" in output
    assert {name: numbers(folder.run(name)) for name in NAMES} == by_pool


@pytest.mark.parametrize(
    "engine",
    some(sorted(path.stem for path in (conf_dir() / "hydra" / "launcher").glob("*.yaml")), 2),
)
def test_every_launcher_composes(sweep: SweepRunner, engine: str) -> None:
    """Also without its package: settings can be looked at before anything is installed."""
    done = warm.run(
        [sys.executable, "-m", "mnist_seq.train", f"hydra/launcher={engine}", "--cfg", "hydra",
         "-p", "hydra.launcher"],
        cwd=sweep.folder, env=sweep_env(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "_target_: hydra_plugins.mnist_seq." in done.stdout
    assert "workers:" in done.stdout


@pytest.mark.parametrize(
    ("launcher", "extra"), some([*EXTRAS.items(), ("submitit_slurm", "slurm")], 2)
)
def test_a_missing_package_is_named_with_its_install_line(
    sweep: SweepRunner, launcher: str, extra: str
) -> None:
    (sweep.folder / "sitecustomize.py").write_text(HIDE)
    env = {"PYTHONPATH": f"{sweep.folder}{os.pathsep}{sweep_env()['PYTHONPATH']}"}
    output = sweep(*FOUR, f"hydra/launcher={launcher}", code=1, **env)
    assert f"pip install 'mnist_seq[{extra}]'" in output
    assert len(output.strip().splitlines()) == 1
    assert not sweep.sweep("s").path.exists()


HIDE = """
import importlib.util
find = importlib.util.find_spec
hidden = {"joblib", "ray", "submitit", "optuna"}
importlib.util.find_spec = lambda name, *more: None if name in hidden else find(name, *more)
"""


@needs("submitit_local")
def test_slurm_is_refused_where_there_is_none(sweep: SweepRunner) -> None:
    output = sweep(*FOUR, "hydra/launcher=submitit_slurm", code=1, PATH=str(sweep.folder))
    assert "hydra/launcher=submitit_slurm cannot work here" in output
    assert not changes(sweep.sweep("s"), "started")


@needs("submitit_local")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["sweep.until=decided"], "sweep.until=decided chooses seeds while runs end"),
        (["hydra/sweeper=optuna"], "ends the command before the runs"),
    ],
)
def test_a_sweep_that_chooses_its_runs_is_not_detached(
    sweep: SweepRunner, words: list[str], says: str
) -> None:
    """Nobody would choose the next one."""
    slurm = ["hydra/launcher=submitit_slurm", "hydra.launcher.detach=true"]
    output = sweep(*SMALL, *slurm, *words, "sweep.name=s", code=1)
    assert says in output
    assert "Traceback" not in output


@pytest.mark.slow
def test_hydras_own_launcher_still_works(sweep: SweepRunner, by_pool: dict[str, Any]) -> None:
    """Any other launcher gets the plan as overrides, and the folders tell what came of it."""
    words = [*FOUR, "hydra/launcher=basic"]
    sweep(*words)
    folder = sweep.sweep("s")
    assert {name: numbers(folder.run(name)) for name in NAMES} == by_pool
    assert "already done" in sweep(*words)
