"""Measures the wall time of a sweep in our pool, against other ways to run the same grid.

    pip install hydra-joblib-launcher
    python benchmarks/sweep.py data.root=../shared/data

Each row is a command that trains the baseline for one epoch of MNIST, once for each seed. Its time
is that of the whole process. The rows take turns, so that other load on the machine slows all of
them; the result is the ratio of the medians. The last lines are the cost of one more trivial job,
forked as on Linux, and spawned as on macOS and Windows.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from mnist_seq.system import START_VARIABLE, cores

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


def ways(root: Path, num_runs: int, epochs: int) -> list[Way]:
    """Our pool first, then the ways that it is compared with."""
    python, seeds = sys.executable, f"seed=range({num_runs})"
    ours = [python, "-m", "mnist_seq.train", "-m", "tracker=none", f"data.root={root}"]
    ours += [f"training.epochs={epochs}", seeds]
    tutorial = [python, str(HERE / "tutorial" / "app.py"), "-m", f"data={root}"]
    tutorial += [f"epochs={epochs}", seeds]
    return [
        Way("ours: pool", ours),
        Way("(a) tutorial's loop, Hydra's basic launcher", tutorial),
        Way("(b) our training, basic launcher", [*ours, *BASIC, "hydra/launcher=basic"]),
        Way("(c) our training, hydra-joblib-launcher", [*ours, *BASIC, *JOBLIB]),
    ]


def measure(command: list[str], *, start: str = "forkserver") -> float:
    """Seconds of a whole process, run in a new folder.

    Args:
        start: how the jobs of a pool start.

    Raises:
        RuntimeError: the command failed; the message has its output.
    """
    drop = ("HYDRA", "MNIST_SEQ", "WANDB")
    env = {k: v for k, v in os.environ.items() if not k.startswith(drop)}
    env[START_VARIABLE] = start
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
        seconds = time.perf_counter() - begun
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return seconds


def overhead(num_jobs: int, repeats: int, *, start: str) -> float:
    """Seconds that one more trivial job adds (64 images, one step)."""
    tiny = ["data=mnist_5k", "data.limit=64", "data.valid=0", "model.hidden=8", "tracker=none"]
    command = [sys.executable, "-m", "mnist_seq.train", "-m", *tiny]
    slopes = []
    for _ in range(repeats):
        few = measure([*command, "seed=range(2)"], start=start)
        many = measure([*command, f"seed=range({2 + num_jobs})"], start=start)
        slopes.append((many - few) / num_jobs)
    return statistics.median(slopes)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", nargs="?", default="data", help="data.root=... or the folder")
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=40, help="trivial jobs for the overhead")
    options = parser.parse_args()
    root = Path(options.root.removeprefix("data.root=")).resolve()
    table = ways(root, options.runs, options.epochs)
    times: dict[str, list[float]] = {way.name: [] for way in table}
    for turn in range(options.repeats):
        for way in table:
            try:
                times[way.name].append(measure(way.command))
            except RuntimeError as error:
                print(f"  {way.name} failed: {str(error)[-300:]}", file=sys.stderr)
                continue
            print(f"  turn {turn + 1}: {way.name}: {times[way.name][-1]:.1f} s", flush=True)
    print(f"\n{options.runs} runs of {options.epochs} epoch on {cores()} cores, seconds of the "
          f"whole command, median of {options.repeats}, taking turns")  # fmt: skip
    print(f"{'':<46}{'seconds':>9}{'least':>8}{'most':>8}{'to ours':>9}")
    ours = statistics.median(times[table[0].name])
    for name, seconds in times.items():
        if seconds:
            middle = statistics.median(seconds)
            print(f"{name:<46}{middle:>9.1f}{min(seconds):>8.1f}{max(seconds):>8.1f}"
                  f"{middle / ours:>9.2f}")  # fmt: skip
    print(f"\na trivial job adds (slope from 2 to {2 + options.jobs} jobs)")
    for start in ("forkserver", "spawn"):
        each = overhead(options.jobs, options.repeats, start=start)
        print(f"{start:<12}{each:>8.3f} s", flush=True)


if __name__ == "__main__":
    main()
