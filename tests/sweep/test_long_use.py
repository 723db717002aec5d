"""A night of runs: what the sweep's own processes hold must not grow with the runs behind them."""

import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from mnist_seq.runs.folder import RunFolder, find_runs
from tests.conftest import clean_env

NUM_RUNS = 1000
COMMAND = (
    "-m mnist_seq.train -m data=mnist_5k data.limit=64 data.valid=16 model.hidden=2 tracker=none "
    f"sweep.baseline=none sweep.name=long seed=range({NUM_RUNS})"
)


@dataclass
class Held:
    """What a process holds at one moment."""

    num_runs: int  # finished so far
    memory: int  # resident bytes of its own: shared pages are counted once, elsewhere
    num_files: int
    num_threads: int


def held(pid: int, num_runs: int) -> Held:
    process = Path(f"/proc/{pid}")
    rollup = dict(
        line.split(":") for line in (process / "smaps_rollup").read_text().splitlines()[1:]
    )
    private = sum(int(rollup[f"Private_{kind}"].split()[0]) for kind in ("Clean", "Dirty"))
    return Held(
        num_runs=num_runs,
        memory=private * 1024,
        num_files=len(list((process / "fd").iterdir())),
        num_threads=len(list((process / "task").iterdir())),
    )


def children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()]


def level(values: list[int]) -> float:
    return statistics.median(values)


@pytest.mark.exhaustive
def test_a_thousand_runs_leave_the_sweep_as_it_was(tmp_path: Path) -> None:
    """Memory flat within 5 %, open files and threads constant: parent and fork server."""
    samples: dict[str, list[Held]] = {"parent": [], "fork server": []}
    num_finished = 0
    with subprocess.Popen(
        [sys.executable, *COMMAND.split()], cwd=tmp_path, env=clean_env(),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:  # one line a finished run
            if "] finished" not in line:
                continue
            num_finished += 1
            server = next(
                pid for pid in children(process.pid)
                if b"forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes()
            )  # fmt: skip
            samples["parent"].append(held(process.pid, num_finished))
            samples["fork server"].append(held(server, num_finished))
    assert process.returncode == 0
    runs = list(find_runs(tmp_path))
    assert [run.state() for run in runs] == ["finished"] * NUM_RUNS
    assert all(len(RunFolder(run.path).metrics()) == 1 for run in runs)
    for name, series in samples.items():
        early = series[NUM_RUNS // 10 : NUM_RUNS // 5]
        late = series[-NUM_RUNS // 10 :]
        growth = level([s.memory for s in late]) / level([s.memory for s in early])
        print(f"{name}: {level([s.memory for s in late]) / 2**20:.1f} MiB, times {growth:.3f}")
        assert growth < 1.05, name
        assert {s.num_threads for s in late} <= {s.num_threads for s in early}, name
        assert max(s.num_files for s in late) <= max(s.num_files for s in early), name
