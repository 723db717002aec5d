"""Measures the wall time of a sweep in our pool, against other ways to run the same grid.

    python benchmarks/sweep.py data.root=../shared/data
    pip install hydra-joblib-launcher; python benchmarks/sweep.py --joblib data.root=../shared/data

Each row is a command that trains the baseline for one epoch of MNIST, once for each seed. Its time
is that of the whole process. The rows take turns, so that other load on the machine slows all of
them; a ratio is the median over the turns. There are as many turns as `--minutes` has room for. The
last lines are the cost of one more trivial job, and of the command of eight of them; spawned, as on
macOS and Windows, with `--spawn`. It prints tables for RESULTS.md.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mnist_seq import native
from mnist_seq.system import START_VARIABLE, cores, cpu_name

HERE = Path(__file__).resolve().parent
BASIC = ["hydra/sweeper=basic"]
# Named by its class, because conf/hydra/launcher/joblib.yaml is our own launcher
JOBLIB = [
    "hydra/launcher=basic",
    "hydra.launcher._target_=hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher",
    "+hydra.launcher.n_jobs=-1",
]


@dataclass(frozen=True)
class Way:
    """One way to run the grid."""

    name: str
    command: list[str]


def ways(root: Path, num_runs: int, epochs: int, *, has_joblib: bool) -> list[Way]:
    """Our pool with native steps first, then the ways that it is compared with."""
    python, seeds = sys.executable, f"seed=range({num_runs})"
    ours = [python, "-m", "mnist_seq.train", "-m", "tracker=none", f"data.root={root}"]
    ours += [f"training.epochs={epochs}", seeds]
    tutorial = [python, str(HERE / "tutorial" / "app.py"), "-m", f"data={root}"]
    tutorial += [f"epochs={epochs}", seeds]
    own = [*ours, "device.kernel=native"]
    found = [
        Way("ours: pool, native steps", own),
        Way("ours: pool, torch's steps", ours),
        Way("the tutorial's loop, Hydra's basic launcher", tutorial),
        Way("our training, native steps, basic launcher", [*own, *BASIC, "hydra/launcher=basic"]),
    ]
    if has_joblib:
        found.append(
            Way("our training, native steps, hydra-joblib-launcher", [*own, *BASIC, *JOBLIB])
        )
    return found


def measure(command: list[str], *, start: str = "forkserver") -> tuple[float, float]:
    """Seconds of a whole process, run in a new folder, and CPU seconds of all its processes.

    Args:
        start: how the jobs of a pool start.

    Raises:
        RuntimeError: the command failed; the message has its output.
    """
    drop = ("HYDRA", "MNIST_SEQ", "WANDB")
    env = {k: v for k, v in os.environ.items() if not k.startswith(drop)}
    env[START_VARIABLE] = start
    with tempfile.TemporaryDirectory() as folder:
        begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
        seconds, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, used


def overhead(num_jobs: int, repeats: int, *, start: str) -> str:
    """A line: seconds that one more trivial job adds (64 images, one step), and eight take."""
    tiny = ["data=mnist_5k", "data.limit=64", "data.valid=0", "model.hidden=8", "tracker=none"]
    command = [sys.executable, "-m", "mnist_seq.train", "-m", *tiny]
    slopes, whole = [], []
    for _ in range(repeats):
        whole.append(measure([*command, "seed=range(8)"], start=start))
        many, _ = measure([*command, f"seed=range({8 + num_jobs})"], start=start)
        slopes.append((many - whole[-1][0]) / num_jobs)
    seconds, used = (statistics.median(of) for of in zip(*whole, strict=True))
    return f"| {start} | {statistics.median(slopes):.3f} | {seconds:.1f} | {used:.1f} |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", nargs="?", default="data", help="data.root=... or the folder")
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=5.0, help="of all turns together")
    parser.add_argument("--jobs", type=int, default=24, help="trivial jobs for the overhead")
    parser.add_argument("--joblib", action="store_true", help="hydra-joblib-launcher too")
    parser.add_argument("--spawn", action="store_true", help="trivial jobs that are spawned, too")
    options = parser.parse_args()
    root = Path(options.root.removeprefix("data.root=")).resolve()
    native.library()  # compiled before anything is timed
    table = ways(root, options.runs, options.epochs, has_joblib=options.joblib)
    turns: list[list[float]] = []
    begun = time.perf_counter()
    while not turns or _is_room(time.perf_counter() - begun, len(turns), 60 * options.minutes):
        turns.append([])
        for way in table:
            turns[-1].append(measure(way.command)[0])
            print(f"  turn {len(turns)}: {way.name}: {turns[-1][-1]:.1f} s", flush=True)
    print(f"\n{cpu_name()}, {cores()} cores: {options.runs} runs of {options.epochs} epoch, "
          f"seconds of the whole command; median of {len(turns)} turns (least-most)")  # fmt: skip
    print("\n| | seconds | to ours |\n| --- | ---: | ---: |")
    for way, seconds in zip(table, zip(*turns, strict=True), strict=True):
        ratios = [own / turn[0] for own, turn in zip(seconds, turns, strict=True)]
        print(f"| {way.name} | {shown(seconds, 1)} | {shown(ratios, 2)} |")
    print(
        "\n| trivial jobs | one more, s | eight, s | eight, CPU s |\n| --- | ---: | ---: | ---: |"
    )
    for start in ("forkserver", *["spawn"] * options.spawn):
        print(overhead(options.jobs, 3, start=start), flush=True)


def _is_room(spent: float, num_turns: int, most: float) -> bool:
    return spent * (num_turns + 1) / num_turns <= most


def shown(values: Sequence[float], digits: int) -> str:
    """The median of some numbers, and their range."""
    low, middle, high = (f(values) for f in (min, statistics.median, max))
    return f"{middle:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


if __name__ == "__main__":
    main()
