"""What a run starts from where it does not start anew: weights of another run, and frozen ones."""

import fnmatch
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from mnist_seq.config import Config, ConfigError
from mnist_seq.config.schema import Training
from mnist_seq.models import Classifier
from mnist_seq.runs.folder import RunFolder
from mnist_seq.training import checkpoint, checkpoint_check
from mnist_seq.training.job import Job

HEAD = "head."
_SAME = "the model and the data of the source"


@dataclass(frozen=True)
class Start:
    """What a run takes from its source.

    Attributes:
        weights: of all parts of the net; the head's own where it starts anew.
        optimizer: its state, or None for a new one.
    """

    weights: dict[str, Tensor]
    optimizer: dict[str, Any] | None


def file_of(training: Training) -> Path:
    """The file of the source that a run reads."""
    folder = RunFolder(Path(training.init_from))
    return folder.checkpoint_path if training.init_optimizer else folder.model_path


def source_of(training: Training) -> str:
    """The identity of a run's source: over its config and the content of the file that is read.

    Raises:
        OSError, ValueError: there is no such run, or it has not come so far.
    """
    record = RunFolder(Path(training.init_from)).record()
    with file_of(training).open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    return f"{record['config_hash'][:12]}-{content[:20]}"


def load_start(config: Config, model: Classifier) -> Start:
    """Read what a run starts from.

    Args:
        model: of this run, freshly initialised.

    Raises:
        ConfigError: the source is gone, is another one by now, or does not fit this net.
    """
    training, file = config.training, file_of(config.training)
    named = f"training.init_from={training.init_from}"
    try:
        if source_of(training) != training.init_source:
            raise ConfigError(f"{named} has changed since this run was planned; start it again")
        found = checkpoint.load(file, model)
        optimizer = None
        if training.init_optimizer:
            checkpoint_check.check_parts(found)
            found, optimizer, step = found["model"], found["optimizer"], found["loop"]["step"]
    except ConfigError:
        raise
    except Exception as error:  # torch and zipfile raise many kinds
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(f"{named} must hold a trained run: {reason}") from error
    weights = _fitting(found, model, training, named)
    if optimizer is not None:
        try:
            optimizer = checkpoint_check.checked_optimizer(
                optimizer, config.optimizer, model, step=step
            )
        except ValueError as error:
            raise ConfigError(
                f"training.init_optimizer=true needs the optimizer of the source: {error}; choose "
                "its optimizer, or training.init_optimizer=false"
            ) from error
    return Start(weights, optimizer)


def take_start(job: Job, model: Classifier) -> dict[str, Any] | None:
    """Give a new run the weights of its source, if it has one, and record where they are from.

    Returns:
        The optimizer's state to go on from, or None for a new one.

    Raises:
        ConfigError: see `load_start`.
    """
    if job.config.training.init_from == "none":
        return None
    start = load_start(job.config, model)
    model.load_state_dict(start.weights)
    job.folder.update_record(origin=_record_of(job.config))
    return start.optimizer


def _record_of(config: Config) -> dict[str, object]:
    """The origin as run.json has it: what the source was, and not where it lay."""
    source = RunFolder(Path(config.training.init_from))
    record, training = source.record(), config.training
    metrics = {}
    if source.result_path.exists():
        metrics = {k: v for k, v in source.result()["metrics"].items() if k.startswith("test/")}
    return {
        "source": training.init_source,
        "run": str(record.get("name", "")),
        "folder": source.path.name,
        "data": str(record["config"]["data"].get("name", "")),
        "model": str(record["config"]["model"]["name"]),
        "seed": record["config"]["seed"],
        "optimizer": training.init_optimizer,
        "head": training.init_head,
        "metrics": metrics,
    }


def _fitting(found: object, model: Classifier, training: Training, named: str) -> dict[str, Tensor]:
    """The source's weights, with this run's own head where it starts anew."""
    own = model.state_dict()
    weights = dict(found) if isinstance(found, dict) else {}
    if training.init_head == "new":
        weights = {k: v for k, v in weights.items() if not str(k).startswith(HEAD)}
        weights |= {k: v for k, v in own.items() if k.startswith(HEAD)}
    trained = {key for key, _ in model.named_parameters()}
    fixed = {key for key in own if "bias_hh" in key and key not in trained}
    for name, like in own.items():
        there = weights.get(name)
        shape = list(there.shape) if isinstance(there, Tensor) else None
        if shape != list(like.shape):
            is_head = name.startswith(HEAD)
            way = "training.init_head=new" if is_head else _SAME
            raise ConfigError(
                f"{named} must hold the weights of this net: {name} is {shape or 'missing'} there "
                f"and {list(like.shape)} here; choose {way}"
            )
        if name in fixed and bool(weights[name].any()):
            raise ConfigError(
                f"{named} must hold the weights of this net: {name} is trained there, and "
                "model.bias=one has none here; choose model.bias=two"
            )
        if not bool(weights[name].isfinite().all()):
            raise ConfigError(
                f"{named} must hold weights that are numbers: {name} has NaN or infinity there; "
                "choose a run that has not diverged"
            )
    try:
        checkpoint_check.check_weights(weights, model)
    except ValueError as error:
        raise ConfigError(
            f"{named} must hold the weights of this net: {error}; choose {_SAME}"
        ) from error
    return weights


def frozen_names(patterns: Sequence[str], names: Sequence[str]) -> list[str]:
    """The weights that are not trained.

    Args:
        patterns: as shells have them: `rnn.*`.
        names: of all weights.

    Raises:
        ConfigError: a pattern names none, or all are named.
    """
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            raise ConfigError(
                f"training.freeze names weights of this net: {pattern} is none; they are "
                f"{', '.join(names)}"
            )
    frozen = [name for name in names if any(fnmatch.fnmatchcase(name, p) for p in patterns)]
    if len(frozen) == len(names):
        raise ConfigError(
            f"training.freeze must leave something to train: {', '.join(patterns)} names all "
            "weights; leave out the head, say: rnn.*"
        )
    return frozen


def freeze(model: nn.Module, patterns: Sequence[str]) -> None:
    """Keep weights as they are: without gradient, update and decay."""
    weights = dict(model.named_parameters())
    for name in frozen_names(patterns, list(weights)):
        weights[name].requires_grad_(False)
    model.train(model.training)  # a frozen batch norm keeps its statistics
