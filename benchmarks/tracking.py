"""What the W&B mirror costs: seconds and bytes a run, and training speed with it and without.

    python benchmarks/tracking.py data.root=../shared/data

Three ways: none; offline; online, to the tests' own server on this machine, which answers at once
and in Python on the same cores (a server elsewhere costs waiting, not computing). They take turns,
so that a busy machine slows all of them.

sweep   wall seconds of one `python -m mnist_seq.train -m` of N short runs in the pool, a run, and
        how many more they are than with tracker=none. Offline the bound is 0.2 s.
speed   median seconds of one run of STEPS steps, by its own clock (result.json), over tracker=none.
        The bound is 1.03. One thread; on a machine with one core the mirror takes its time from it.
bytes   of what W&B's folder holds, a run.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.wandb_server import KEY, serving  # noqa: E402

WAYS = {
    "none": ["tracker=none"],
    "offline": ["tracker.mode=offline"],
    "online": ["tracker.mode=online"],
}


def train(folder: Path, env: dict[str, str], words: list[str]) -> float:
    """Wall seconds of the training command."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "mnist_seq.train", *words]
    subprocess.run(command, cwd=folder, env=env, check=True, capture_output=True)
    return time.perf_counter() - start


def bytes_of(folder: Path) -> int:
    """Bytes of W&B's files, those of its service's own logs left out."""
    return sum(
        path.stat().st_size
        for found in folder.rglob("wandb")
        for path in found.rglob("*run-*/**/*")
        if path.is_file() and not path.is_symlink()
    )


def main() -> None:
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", nargs="?", default="data", help="data.root=... or the folder")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--runs", type=int, default=12, help="of a sweep")
    parser.add_argument("--epochs", type=int, default=3, help="of the timed run, of 60,000 images")
    options = parser.parse_args()
    root = Path(options.root.removeprefix("data.root=")).resolve()
    sweeps: dict[str, list[float]] = defaultdict(list)
    speeds: dict[str, list[float]] = defaultdict(list)
    sizes: dict[str, list[float]] = defaultdict(list)
    folder = Path(tempfile.mkdtemp(prefix="mnist_seq-"))
    with serving() as server:
        env = {**os.environ, "WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY}
        env |= {"PYTHONPATH": str(ROOT), "HOME": str(folder)}
        for repeat in range(options.repeats):
            for way, words in WAYS.items():
                name = f"{way}-{repeat}"
                short = ["-m", "data=mnist_5k", "model.hidden=8", "training.batch_size=200",
                         f"seed=range({options.runs})", f"sweep.name={name}", *words]  # fmt: skip
                sweeps[way].append(train(folder, env, short) / options.runs)
                sizes[way].append(bytes_of(folder / "outputs/sweeps" / name) / options.runs)
                # Evaluations are what the mirror has to do with: ten an epoch
                long = [f"data.root={root}", f"training.epochs={options.epochs}",
                        "training.eval_every=94", f"hydra.run.dir={name}", *words]  # fmt: skip
                train(folder, env, long)
                result = json.loads((folder / name / "result.json").read_text())
                speeds[way].append(result["seconds"] / result["steps"])
    print(f"a sweep of {options.runs} short runs, median of {options.repeats}, taking turns")
    print(f"{'tracker':<10}{'s a run':>10}{'more':>10}{'kB a run':>10}")
    base = statistics.median(sweeps["none"])
    for way in WAYS:
        seconds = statistics.median(sweeps[way])
        size = statistics.median(sizes[way]) / 1000
        print(f"{way:<10}{seconds:>10.3f}{seconds - base:>10.3f}{size:>10.1f}")
    print(f"\none run of {options.epochs} epochs, by its own clock")
    print(f"{'tracker':<10}{'ms a step':>10}{'ratio':>10}")
    base = statistics.median(speeds["none"])
    for way in WAYS:
        speed = statistics.median(speeds[way])
        print(f"{way:<10}{1000 * speed:>10.3f}{speed / base:>10.3f}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
