"""One run from its config to its result, in its folder."""

import datetime
import errno
import math
import sys
import traceback
from dataclasses import dataclass
from typing import Any

import torch

from mnist_seq.config import Config, identity, plain
from mnist_seq.data.images import load
from mnist_seq.data.locate import Located
from mnist_seq.data.split import split
from mnist_seq.data.task import Task
from mnist_seq.models import Classifier, Shape, build_classifier
from mnist_seq.runs import provenance
from mnist_seq.runs.errors import Interrupted, RunFailed
from mnist_seq.runs.events import Ended, Listener, Row, Samples, Started, tell
from mnist_seq.runs.folder import RunFolder
from mnist_seq.runs.stale import check_same
from mnist_seq.training import checkpoint
from mnist_seq.training.device import device_name, open_device
from mnist_seq.training.evaluation import evaluate
from mnist_seq.training.interruption import Interruption
from mnist_seq.training.loop import Loop
from mnist_seq.training.optimizers import build_optimizer
from mnist_seq.training.seeds import derive

NUM_SAMPLES = 10  # predictions shown at the end, as many as the tutorial shows


@dataclass(frozen=True)
class Job:
    """A run that is ready to train: what is asked, on which data, where to."""

    config: Config
    located: Located
    folder: RunFolder
    name: str
    overrides: tuple[str, ...] = ()


def kept(job: Job) -> Ended | None:
    """The end of a run that this folder already holds, or None where there is something to do.

    Raises:
        StaleRun: the folder holds a run of another config or other data.
        ValueError: a file of the folder is damaged.
    """
    check_same(job.folder, job.config, {"fingerprint": job.located.fingerprint})
    state = job.folder.state()
    if state not in ("finished", "diverged"):
        return None
    result = job.folder.result()
    return Ended(
        "finished" if state == "finished" else "diverged",
        0,
        result.get("reason", ""),
        result["metrics"],
        result.get("best", {}),
        result["seconds"],
    )


def train_run(job: Job, listeners: list[Listener]) -> Ended:
    """Train a run to its end, from its last checkpoint if it has one.

    Raises:
        ConfigError: the run cannot be as asked, or the folder holds another one.
        Interrupted: a signal came; the folder can be resumed.
        RunFailed: anything else; the folder holds error.txt.
    """
    check_same(job.folder, job.config, {"fingerprint": job.located.fingerprint})
    device = open_device(job.config.device)
    task = _task(job, device)
    job.folder.clear_error()
    record(job, task, device)
    with Interruption() as interruption:
        try:
            return _train(job, task, device, listeners, interruption)
        except Interrupted as stop:
            ended = Ended("interrupted", stop.exit_code, str(stop))
            tell(listeners, lambda listener: listener.ended(ended))
            raise
        except Exception as error:
            raise _failed(job, error, listeners) from error


def _task(job: Job, device: torch.device) -> Task:
    data = job.config.data
    images = load(job.located)
    parts = split(
        len(images.train_labels),
        valid=data.valid,
        limit=None if data.limit == "all" else data.limit,
        generator_seed=derive(job.config.seed, "split"),
    )
    return Task(
        images,
        name=job.located.name,
        fingerprint=job.located.fingerprint,
        sequence=data.sequence,
        normalize=data.normalize,
        split=parts,
        device=device,
    )


def record(job: Job, task: Task, device: torch.device) -> None:
    """Write run.json: what this run is, and where its numbers come from."""
    before = job.folder.record() if job.folder.record_path.exists() else {}
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    job.folder.update_record(
        name=job.name,
        config_hash=identity(job.config),
        config=plain(job.config),
        overrides=list(job.overrides),
        data={"requested": job.located.requested, **task.identity()},
        device=device_name(device),
        created=before.get("created", now),
        started=now,
        starts=before.get("starts", 0) + 1,
        **provenance.describe(),
    )


def _train(
    job: Job,
    task: Task,
    device: torch.device,
    listeners: list[Listener],
    interruption: Interruption,
) -> Ended:
    config, folder = job.config, job.folder
    model = build_classifier(
        config.model,
        shape=Shape(task.time_steps, task.input_size),
        num_classes=task.num_classes,
        rnn_seed=derive(config.seed, "init/rnn"),
        head_seed=derive(config.seed, "init/head"),
    ).to(device)
    optimizer = build_optimizer(config.optimizer, model.parameters(), device)
    torch.manual_seed(derive(config.seed, "dropout"))
    loop = Loop(config, task, model, optimizer, folder=folder, listeners=listeners, device=device)
    loop.restore()
    num_params = sum(p.numel() for p in model.parameters())
    event = Started(
        name=job.name,
        folder=folder.path,
        num_params=num_params,
        num_steps=loop.num_steps,
        first_step=loop.state.step,
        num_epochs=config.training.epochs,
        device=device_name(device),
    )
    tell(listeners, lambda listener: listener.started(event))
    state = loop.fit(interruption)
    ended = _finish(job, task, model, loop) if state == "finished" else _diverged(folder, loop)
    checkpoint.save_weights(folder.model_path, model)
    interruption.is_over = True
    folder.write_result(
        state=ended.state,
        reason=ended.reason,
        metrics=ended.metrics,
        best=ended.best,
        num_params=num_params,
        steps=loop.state.step,
        seconds=round(ended.seconds, 4),
        is_stopped_early=loop.state.is_stopped_early,
    )
    tell(listeners, lambda listener: listener.ended(ended))
    return ended


def _finish(job: Job, task: Task, model: Classifier, loop: Loop) -> Ended:
    """Read the test set, once, with the weights that the config chooses."""
    config, folder, state = job.config, job.folder, loop.state
    metrics = _last_metrics(folder)
    if config.training.evaluate == "best":
        model.load_state_dict(torch.load(folder.best_path, weights_only=True))
        rows = folder.metrics()
        best_row = next(row for row in reversed(rows) if row["step"] == state.best_step)
        metrics |= {k: v for k, v in best_row.items() if k.startswith("valid/")}
    test = evaluate(
        model,
        task,
        "test",
        batch_size=config.training.eval_batch_size,
        precision=config.device.precision,
    )
    if not math.isfinite(test.loss):
        return _diverged(folder, loop)
    metrics |= {"test/accuracy": test.accuracy, "test/loss": test.loss}
    labels, predictions = task.labels("test").cpu().numpy(), test.predictions.cpu().numpy()
    first = torch.arange(min(NUM_SAMPLES, task.num_test))
    images = task.images("test", first).cpu().numpy()
    folder.write_predictions(labels, predictions, images)
    best: Row = {}
    if task.num_valid:
        best = {"valid/accuracy": state.best_accuracy, "step": state.best_step}
    return Ended(
        "finished",
        0,
        metrics=metrics,
        best=best,
        seconds=state.seconds,
        samples=Samples(
            images=images,
            labels=labels[: len(first)],
            predictions=predictions[: len(first)],
        ),
    )


def _diverged(folder: RunFolder, loop: Loop) -> Ended:
    reason = f"the loss is not finite at step {loop.state.step}"
    return Ended("diverged", 0, reason, _last_metrics(folder), seconds=loop.state.seconds)


def _last_metrics(folder: RunFolder) -> dict[str, Any]:
    rows = folder.metrics()
    return {k: v for k, v in rows[-1].items() if "/" in k} if rows else {}


def _failed(job: Job, error: Exception, listeners: list[Listener]) -> RunFailed:
    reason = f"{type(error).__name__}: {error}".splitlines()[0]
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        reason += "; free some space, then the same command goes on from the last checkpoint"
    try:
        job.folder.write_error(traceback.format_exc())
        where = f"traceback in {job.folder.error_path}"
    except OSError as full:  # a full disk takes no error.txt either
        traceback.print_exc(file=sys.stderr)
        where = f"and error.txt could not be written: {full}"
    ended = Ended("failed", 1, reason)
    tell(listeners, lambda listener: listener.ended(ended))
    return RunFailed(f"{reason} ({where})")
