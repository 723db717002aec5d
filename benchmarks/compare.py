"""Measures time, memory and page size of `mnist_seq.compare` on 200 runs of 100 evaluations.

    python benchmarks/compare.py

`RunFolder` writes the folders, with made-up numbers: 40 variants of 5 seeds. The comparison runs as
a command in a process of its own, imports included: the page alone, and all files, most of whose
time goes into pictures that vl-convert draws. Aims: below 5 s of processor time (on a machine that
is busy, it doubles, and wall time says nothing), below 500 MB, page below 2 MB.
"""

import argparse
import math
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from mnist_seq.config import parse, plain
from mnist_seq.config.hydra_errors import defaults
from mnist_seq.runs.folder import RunFolder

CELLS = ("lstm", "gru", "rnn", "mgu")
NUM_TEST, EVAL_EVERY = 10_000, 10


def main() -> None:
    """Write the runs, compare them a few times, and print time, memory and page size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--evaluations", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="write the sweep to this folder and keep it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        sweep = options.keep or Path(scratch) / "made_up"
        write_sweep(sweep, num_runs=options.runs, num_evaluations=options.evaluations)
        alone = [compare(sweep, "formats=[html]") for _ in range(options.repeats)]
        seconds = [compare(sweep) for _ in range(options.repeats)]
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        page = (sweep / "report" / "report.html").stat().st_size / 1e6
        print(f"{options.runs} runs of {options.evaluations} evaluations")
        for what, found in (("page alone", alone), ("all files", seconds)):
            shown = ", ".join(f"{s:.2f}" for s in found)
            print(f"processor seconds, {what}: {shown} (best {min(found):.2f})")
        print(f"peak memory {peak:.0f} MiB; page {page:.2f} MB")


def compare(sweep: Path, *words: str) -> float:
    """Seconds of processor time of one comparison with all its renderings, or those of `words`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "mnist_seq.compare", f"sweep={sweep}", *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def write_sweep(sweep: Path, *, num_runs: int, num_evaluations: int) -> None:
    """Run folders as training leaves them, 5 seeds a variant."""
    base: dict[str, Any] = plain(parse(defaults()))
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, NUM_TEST)
    for i in range(num_runs):
        cell, hidden, seed = CELLS[i // 5 % len(CELLS)], 16 * (1 + i // (5 * len(CELLS))), i % 5
        config = {**base, "seed": seed, "model": {**base["model"], "name": cell, "hidden": hidden}}
        name = f"model={cell},model.hidden={hidden},seed={seed}"
        write_run(RunFolder(sweep / name), config, labels, rng, num_evaluations)


def write_run(
    folder: RunFolder, config: dict[str, Any], labels: Any, rng: Any, num_evaluations: int
) -> None:
    """One finished run with made-up numbers."""
    folder.path.mkdir(parents=True)
    hidden, seed = config["model"]["hidden"], config["seed"]
    final = (
        0.985 - 0.3 / hidden - 0.004 * CELLS.index(config["model"]["name"]) + rng.normal(0, 0.001)
    )
    folder.update_record(
        name=folder.path.name,
        config_hash=f"{hash((config['model']['name'], hidden, seed)):x}",
        config=config,
        overrides=folder.path.name.split(","),
        data={"requested": "mnist", "data": "mnist", "fingerprint": "f" * 64, "sequence": "rows",
              "permutation_hash": "", "split": f"{seed:064d}", "num_train": 55_000,
              "num_valid": 5_000, "num_test": NUM_TEST},
        device="cpu",
        started="2026-01-01T00:00:00+00:00",
        code={"version": "0.1.0", "commit": "0" * 40, "is_dirty": False, "hash": "0" * 64},
        versions={"python": "3.11", "torch": "2.13.0"},
        host={"name": "benchmark", "system": "Linux", "cpu": "CPU", "cores": 2},
    )  # fmt: skip
    lines = []
    for k in range(1, num_evaluations + 1):
        accuracy = final - 0.6 * math.exp(-6 * k / num_evaluations) + rng.normal(0, 0.003)
        lines.append(
            {"step": k * EVAL_EVERY, "epoch": k / num_evaluations, "seconds": 0.1 * k,
             "train/loss": float(1 - accuracy), "valid/accuracy": float(accuracy)}
        )  # fmt: skip
    for line in lines:
        folder.append_metrics(line)
    wrong = rng.random(NUM_TEST) > final
    predictions = np.where(wrong, (labels + rng.integers(1, 10, NUM_TEST)) % 10, labels)
    folder.write_predictions(labels, predictions)
    folder.write_result(
        state="finished", reason="", best={}, num_params=4 * hidden * (hidden + 30) + 10,
        metrics={"valid/accuracy": float(accuracy), "test/accuracy": float((~wrong).mean())},
        steps=num_evaluations * EVAL_EVERY, seconds=0.1 * num_evaluations, is_stopped_early=False,
    )  # fmt: skip


if __name__ == "__main__":
    main()
