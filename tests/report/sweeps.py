"""Made-up runs, written by `RunFolder` as training leaves them."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from mnist_seq.report.analyse.suite import build_report
from mnist_seq.report.options import Options
from mnist_seq.report.read.collect import collect
from mnist_seq.report.value import Report
from mnist_seq.runs.folder import RunFolder

LABELS = np.random.default_rng(0).integers(0, 10, 400)
CONFIG: dict[str, Any] = {
    "seed": 0,
    "model": {"name": "lstm", "hidden": 64, "layers": 1},
    "data": {"name": "mnist", "root": "data", "sequence": "rows", "chunk": 1,
             "permutation": 92916, "normalize": "unit", "valid": 5000, "limit": "all",
             "label_noise": 0.0},
    "optimizer": {"name": "adam", "lr": 0.01},
    "tracker": {"name": "none"},
    "training": {"epochs": 1, "batch_size": 64, "early_stop": "never", "clip_norm": "Infinity"},
    "sweep": {"name": "made_up"},
}  # fmt: skip
DEFAULTS = {
    "model.name": "lstm", "model.hidden": 64, "model.layers": 1, "optimizer.name": "adam",
    "optimizer.lr": 0.01, "training.epochs": 1, "training.batch_size": 64,
}  # fmt: skip


def write_run(
    sweep: Path,
    cell: str = "lstm",
    hidden: int = 64,
    seed: int = 0,
    *,
    accuracy: float = 0.95,
    state: str = "finished",
    name: str | None = None,
    num_evaluations: int = 5,
    data: dict[str, Any] | None = None,
    device: dict[str, Any] | None = None,
    **changes: Any,
) -> RunFolder:
    """One run folder; `changes` are config keys with `__` for the dot: training__epochs=2."""
    config = {key: dict(v) if isinstance(v, dict) else v for key, v in CONFIG.items()}
    config["seed"] = seed
    config["model"] |= {"name": cell, "hidden": hidden}
    if cell == "rnn":
        config["model"]["nonlinearity"] = "tanh"
    if device:
        config["device"] = device
    for key, value in changes.items():
        group, _, last = key.partition("__")
        config[group][last] = value
    overrides = [f"model={cell}", f"model.hidden={hidden}", f"seed={seed}"]
    overrides += [f"{key.replace('__', '.')}={value}" for key, value in changes.items()]
    folder = RunFolder(sweep / (name if name is not None else ",".join(overrides)))
    folder.path.mkdir(parents=True)
    folder.update_record(
        name=folder.path.name,
        config_hash=repr(sorted(flat_items(config))),
        config=config,
        overrides=overrides,
        data={"requested": "mnist", "data": "mnist", "fingerprint": "f" * 64,
              "permutation_hash": "", "split": f"{seed:064d}", "num_train": 55000,
              "num_valid": 5000, "num_test": len(LABELS), **(data or {})},
        device="cpu",
        started="2026-01-01T00:00:00+00:00",
        code={"scheme": 2, "hash": "a" * 64, "commit": "c" * 40, "is_dirty": False},
        versions={"torch": "2.13.0"},
        beside={"at_once": 2, "load": 1.0},
        kernel="nn.LSTM",
        host={"name": "here", "cpu": "a cpu", "cores": 2, "system": "Linux"},
    )  # fmt: skip
    for k in range(1, num_evaluations + 1):
        valid = accuracy - 0.5 * math.exp(-1.5 * k)
        folder.append_metrics({"step": 10 * k, "epoch": k / 5, "seconds": 0.5 * k,
                               "train/loss": 1 - valid, "valid/accuracy": valid})  # fmt: skip
    end(folder, state, accuracy, hidden, seed)
    return folder


def end(folder: RunFolder, state: str, accuracy: float, hidden: int, seed: int) -> None:
    """The last files of a run, by how it ended."""
    if state == "failed":
        folder.write_error("Traceback (most recent call last):\n  ...\nValueError: no luck")
    if state not in ("finished", "diverged"):
        return
    metrics = {"train/loss": 1 - accuracy, "valid/accuracy": accuracy}
    if state == "finished":
        metrics |= {"test/accuracy": accuracy, "test/loss": 1 - accuracy}
        wrong = np.random.default_rng(seed).random(len(LABELS)) > accuracy
        folder.write_predictions(LABELS, np.where(wrong, (LABELS + 1) % 10, LABELS))
    folder.write_result(state=state, reason="", metrics=metrics, best={}, steps=50, seconds=2.5,
                        num_params=hidden * 100, is_stopped_early=False)  # fmt: skip


def write_grid(sweep: Path, *, seeds: int = 5) -> Path:
    """LSTM, GRU and RNN at two widths: the GRU a little better, the RNN much worse."""
    noise = np.random.default_rng(1).normal(0, 0.002, (2, seeds))
    for i, hidden in enumerate((32, 64)):
        for seed in range(seeds):
            for cell, gain in (("lstm", 0.0), ("gru", 0.004), ("rnn", -0.05)):
                own = np.random.default_rng([i, seed, len(cell), ord(cell[0])]).normal(0, 0.0005)
                value = 0.94 + 0.01 * i + gain + noise[i, seed] + own
                write_run(sweep, cell, hidden, seed, accuracy=round(float(value), 4))
    return sweep


def report_of(*sweeps: Path, **options: Any) -> Report:
    """The report of some folders with the defaults of the package."""
    return build_report(collect(sweeps), Options(**options), defaults=DEFAULTS)


def flat_items(config: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """What makes a run's identity, for a made-up hash."""
    items = []
    for key, value in config.items():
        if isinstance(value, dict):
            items += flat_items(value, f"{prefix}{key}.")
        elif not prefix.startswith(("sweep", "tracker")):
            items.append((prefix + key, repr(value)))
    return items


def write_repeat(sweep: Path, **given: Any) -> RunFolder:
    """A run that repeats a published number, `rows.lstm`; `given` as `write_run` takes it."""
    run = write_run(sweep, **{"accuracy": 0.995, **given})
    run.update_record(overrides=["experiment=rows", "model=lstm", f"seed={given['seed']}"])
    return run
