"""Plays runs to the mirror, in a process of its own: `python play.py SPEC`, SPEC as JSON.

Not a test. Prints one JSON line a run: the record in run.json and the seconds that its calls took.
Runs of a group are mirrored as the pool mirrors a sweep, the others each on its own.
"""

import contextlib
import datetime
import json
import logging
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from mnist_seq.config import Config, conf_dir, identity, parse, plain
from mnist_seq.runs.events import Ended, Listener, Started
from mnist_seq.runs.folder import RunFolder
from mnist_seq.tracking import open_tracker
from mnist_seq.tracking.sweep_view import SweepView, mirror_sweep


def config(overrides: list[str]) -> Config:
    """A checked config from conf/."""
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        values = OmegaConf.to_container(compose("train", overrides), resolve=True)
    assert isinstance(values, dict)
    values.pop("experiment", None)
    return parse(values)


def row(step: int) -> dict[str, float]:
    """What a run says at an evaluation."""
    return {"step": step, "epoch": step / 10, "seconds": step / 5, "train/loss": 1 / (step + 1)}


@dataclass
class Job:
    """A job and how it ended, as a pool tells of them."""

    folder: RunFolder
    state: str = ""
    reason: str = ""

    @property
    def job(self) -> "Job":
        return self


class Told(Listener):
    """Passes a run's events on, as a pool does."""

    def __init__(self, view: SweepView, job: Job) -> None:
        self.view, self.job = view, job

    def started(self, event: Started) -> None:
        self.view.event(self.job, event)

    def evaluated(self, row: Any) -> None:
        self.view.event(self.job, row)

    def ended(self, event: Ended) -> None:
        self.job.state, self.job.reason = event.state, event.reason
        self.view.ended(self.job, is_retried=False)


def begin(folder: RunFolder, config: Config, first: int) -> None:
    """What a run writes before its first step."""
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.clear_error()
    folder.update_record(
        name=folder.path.name,
        config_hash=identity(config),
        config=plain(config),
        data={"data": "mnist", "fingerprint": "f"},
        device="cpu",
        created=datetime.datetime.now(datetime.UTC).isoformat(),
        started=datetime.datetime.now(datetime.UTC).isoformat(),
    )
    folder.rewind_metrics(first)


def end(folder: RunFolder, spec: dict[str, Any]) -> Ended:
    """What a run writes at its end."""
    state = spec.get("state", "finished")
    ended = Ended(
        state,
        exit_code=spec.get("exit_code", 0),
        reason=spec.get("reason", ""),
        metrics={"test/accuracy": 0.5},
        best={"valid/accuracy": 0.75, "step": 2},
        seconds=12.0,
    )
    if spec.get("samples"):
        digits = np.arange(10)
        folder.write_predictions(digits, digits, np.zeros((4, 28, 28), np.uint8))
    folder.model_path.write_bytes(b"weights")
    if state in ("finished", "diverged"):
        folder.write_result(
            state=state, reason=ended.reason, metrics=ended.metrics, best=ended.best,
            num_params=24714, steps=100, seconds=12.0,
        )  # fmt: skip
    elif state == "failed":
        folder.write_error(ended.reason)
    return ended


def play(
    folder: RunFolder, config: Config, spec: dict[str, Any], tracker: Listener
) -> Callable[[], None]:
    """One run, from its start to its last row. Returns what plays the end that `spec` gives it."""
    first = spec.get("first_step", 0)
    begin(folder, config, first)
    start, cpu = time.perf_counter(), time.process_time()
    if spec.get("starts", True):
        tracker.started(Started(folder.path.name, folder.path, 24714, 100, first, 1, "cpu"))
    for step in spec.get("steps", [1, 2, 3]):
        folder.append_metrics(row(step))
        tracker.evaluated(row(step))
        if step == spec.get("waits_after"):
            print("waiting", flush=True)
            sys.stdin.readline()
    if spec.get("waits"):
        print("waiting", flush=True)
        sys.stdin.readline()
    training = time.perf_counter() - start

    def play_end() -> None:
        tracker.ended(end(folder, spec))
        report = {"name": folder.path.name, "training_s": training,
                  "all_s": time.perf_counter() - start, "imported": "wandb" in sys.modules,
                  "cpu_s": time.process_time() - cpu}  # fmt: skip
        print(json.dumps(report), flush=True)

    return play_end


@contextlib.contextmanager
def views(root: Path, configs: list[Config], group: str) -> Iterator[list[SweepView]]:
    """Those of a sweep; none for runs of their own."""
    if not group:
        yield []
        return
    root.mkdir(parents=True, exist_ok=True)
    with mirror_sweep(configs, root, tell=logging.log) as found:
        yield found


def main() -> None:
    spec = json.loads(sys.argv[1])
    logging.basicConfig(format="%(name)s %(levelname)s %(message)s", level=logging.INFO)
    if "file_limit" in spec:
        resource.setrlimit(resource.RLIMIT_FSIZE, (spec["file_limit"],) * 2)
    group, root, runs = spec.get("group", ""), Path(spec["root"]), spec["runs"]
    words = [*spec.get("overrides", []), *([f"sweep.name={group}"] if group else [])]
    configs = [
        config([f"seed={run.get('seed', i)}", *run.get("overrides", []), *words])
        for i, run in enumerate(runs)
    ]
    began = time.perf_counter()
    last = []
    with views(root, configs, group) as found:
        chosen = time.perf_counter() - began
        for run, run_config in zip(runs, configs, strict=True):
            folder = RunFolder(root / run["name"])
            told = [Told(view, Job(folder)) for view in found] if group else []
            to_end = play(
                folder, run_config, run, told[0] if told else open_tracker(run_config, folder)
                if not group else Listener(),
            )  # fmt: skip
            if run.get("ends_last"):
                last.append(to_end)
            else:
                to_end()
        for to_end in last:
            to_end()
    mirror = resource.getrusage(resource.RUSAGE_CHILDREN)
    whole = {"chosen_s": chosen, "whole_s": time.perf_counter() - began,
             "mirror_cpu_s": mirror.ru_utime + mirror.ru_stime}  # fmt: skip
    print(json.dumps(whole), flush=True)


if __name__ == "__main__":
    main()
