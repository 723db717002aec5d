"""Plays runs to the mirror, in a process of its own: `python play.py SPEC`, SPEC as JSON.

Not a test. Prints one JSON line a run: the record in run.json and the seconds that its calls took.
"""

import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from mnist_seq.config import conf_dir, parse
from mnist_seq.runs.events import Ended, Samples, Started
from mnist_seq.runs.folder import RunFolder
from mnist_seq.tracking import Choice, link, open_tracker, remember_mode


def config(overrides: list[str]) -> Any:
    """A checked config from conf/."""
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        values = OmegaConf.to_container(compose("train", overrides), resolve=True)
    assert isinstance(values, dict)
    values.pop("experiment", None)
    return parse(values)


def row(step: int) -> dict[str, float]:
    """What a run says at an evaluation."""
    return {"step": step, "epoch": step / 10, "seconds": step / 5, "train/loss": 1 / (step + 1)}


def play(root: Path, overrides: list[str], group: str, spec: dict[str, Any]) -> None:
    """One run, from its start to the end that `spec` gives it."""
    name = spec["name"]
    folder = RunFolder(root / name)
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.update_record(identity="of the run")
    first = spec.get("first_step", 0)
    folder.rewind_metrics(first)
    tracker = open_tracker(config([f"seed={spec.get('seed', 0)}", *overrides]), folder,
                           name=name, group=group)  # fmt: skip
    start = time.perf_counter()
    if spec.get("starts", True):
        tracker.started(Started(name, folder.path, 24714, 100, first, 1, "cpu"))
    for step in spec.get("steps", [1, 2, 3]):
        folder.append_metrics(row(step))
        tracker.evaluated(row(step))
    if spec.get("waits"):
        print("waiting", flush=True)
        sys.stdin.readline()
    training = time.perf_counter() - start
    samples = None
    if spec.get("samples"):
        digits = np.arange(4)
        samples = Samples(np.zeros((4, 28, 28), np.uint8), labels=digits, predictions=digits)
    tracker.ended(
        Ended(
            spec.get("state", "finished"),
            exit_code=spec.get("exit_code", 0),
            reason=spec.get("reason", ""),
            metrics={"test/accuracy": 0.5},
            best={"valid/accuracy": 0.75, "step": 2},
            seconds=12.0,
            samples=samples,
        )
    )
    report = {"wandb": folder.record().get("wandb"), "training_s": training,
              "all_s": time.perf_counter() - start, "imported": "wandb" in sys.modules}  # fmt: skip
    print(json.dumps(report), flush=True)


def main() -> None:
    spec = json.loads(sys.argv[1])
    logging.basicConfig(format="%(name)s %(levelname)s %(message)s", level=logging.INFO)
    link.FINISH_SECONDS = spec.get("finish_seconds", link.FINISH_SECONDS)
    if "remember" in spec:
        remember_mode(Choice(**spec["remember"]))
    for run in spec.get("runs", []):
        play(Path(spec["root"]), spec.get("overrides", []), spec.get("group", ""), run)


if __name__ == "__main__":
    main()
