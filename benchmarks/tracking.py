"""Measures what the W&B mirror costs: seconds and bytes a run, and its effect on training speed.

    python benchmarks/tracking.py data.root=../shared/data

Three ways: tracker=none, W&B offline, W&B online. Online means the server of the tests on this
machine. It answers at once, and it uses the same cores, which a real server does not. The ways take
turns, and each time is divided by that of tracker=none in the same turn, so that other load slows
all of them alike. Printed are medians over the turns. Each run has one torch thread.

wall s   wall seconds of a sweep in the pool, divided by its number of runs. Aim: offline at most
         0.2 s more than tracker=none.
ms/step  milliseconds a step between a run's first and last evaluation, evaluations included, from
         metrics.jsonl. Once for the runs of the sweep, which fill all cores, once for a run alone.
         Aim: a ratio of at most 1.03.
CPU s    CPU seconds of the command of the run alone, the mirror process included. Most of them are
         the import of wandb, for which no step waits.
kB       size of W&B's folder, for each run.
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
MEASURES = {
    "wall s": "a run of a sweep",
    "kB": "a run of a sweep",
    "ms/step sweep": "a step of the sweep's runs",
    "ms/step": "a step of the lone run",
    "CPU s": "the lone run's command",
}
Turn = dict[str, float]


def train(folder: Path, env: dict[str, str], words: list[str]) -> tuple[float, float]:
    """Wall and CPU seconds of the training command."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "mnist_seq.train", *words, "device.threads=1"]
    with subprocess.Popen(
        command, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}")
    return time.perf_counter() - start, used.ru_utime + used.ru_stime


def step_ms(run: Path) -> float:
    """Milliseconds a step from a run's first evaluation to its last."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    first, last = rows[0], rows[-1]
    return 1000 * (last["seconds"] - first["seconds"]) / (last["step"] - first["step"])


def bytes_of(folder: Path) -> int:
    """Bytes of W&B's run folders, without the logs of its service."""
    return sum(
        path.stat().st_size
        for found in folder.rglob("wandb")
        for path in found.rglob("*run-*/**/*")
        if path.is_file() and not path.is_symlink()
    )


def one_turn(folder: Path, env: dict[str, str], root: Path, way: str, options: argparse.Namespace
             ) -> Turn:  # fmt: skip
    """Measure everything once, for one way."""
    words = WAYS[way]
    swept = ["-m", "data=mnist_5k", "training.batch_size=100", "training.epochs=10",
             f"seed=range({options.runs})", "sweep.name=sweep", *words]  # fmt: skip
    wall_s, _ = train(folder, env, swept)
    sweep = folder / "outputs" / "sweeps" / "sweep"
    runs = [path.parent for path in sweep.glob("*/metrics.jsonl")]
    # ten evaluations an epoch: the mirror has work at each evaluation
    alone = [f"data.root={root}", f"training.epochs={options.epochs}", "training.eval_every=94",
             "hydra.run.dir=alone", *words]  # fmt: skip
    _, cpu_s = train(folder, env, alone)
    found = {
        "wall s": wall_s / options.runs,
        "kB": bytes_of(sweep) / options.runs / 1000,
        "ms/step sweep": statistics.median(step_ms(run) for run in runs),
        "ms/step": step_ms(folder / "alone"),
        "CPU s": cpu_s,
    }
    shutil.rmtree(folder / "outputs")
    shutil.rmtree(folder / "alone")
    return found


def main() -> None:
    """Print a table: one row for each measure, with its ratio to tracker=none."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", nargs="?", default="data", help="data.root=... or the folder")
    parser.add_argument("--repeats", type=int, default=5, help="turns")
    parser.add_argument("--runs", type=int, default=8, help="of a sweep")
    parser.add_argument("--epochs", type=int, default=3, help="of the lone run, of 60,000 images")
    parser.add_argument("--cores", type=int, default=0, help="use only the first ones; 0: all")
    options = parser.parse_args()
    if options.cores:
        os.sched_setaffinity(0, range(options.cores))
    root = Path(options.root.removeprefix("data.root=")).resolve()
    turns: dict[str, list[Turn]] = defaultdict(list)
    folder = Path(tempfile.mkdtemp(prefix="mnist_seq-"))
    with serving() as server:
        env = {**os.environ, "WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY}
        env |= {"PYTHONPATH": str(ROOT), "HOME": str(folder)}
        for _ in range(options.repeats):
            for way in WAYS:
                turns[way].append(one_turn(folder, env, root, way, options))
    shutil.rmtree(folder)
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    print(
        f"medians of {options.repeats} turns; {cores} cores, load {load:.1f} at the end; in "
        "brackets more than tracker=none, and the ratio to it in the same turn (lowest-highest)"
    )
    print(f"{'':<15}" + "".join(f"{way:>34}" for way in WAYS))
    for measure, of in MEASURES.items():
        line = f"{measure:<15}"
        for way in WAYS:
            pairs = [(t[measure], base[measure]) for t, base in zip(turns[way], turns["none"],
                     strict=True)]  # fmt: skip
            text = f"{statistics.median(t for t, _ in pairs):.3f}"
            if way != "none" and all(base for _, base in pairs):
                more = statistics.median(t - base for t, base in pairs)
                ratios = sorted(t / base for t, base in pairs)
                middle = statistics.median(ratios)
                text += f" ({more:+.3f}, {middle:.3f} {ratios[0]:.2f}-{ratios[-1]:.2f})"
            line += f"{text:>34}"
        print(f"{line}  {of}")


if __name__ == "__main__":
    main()
