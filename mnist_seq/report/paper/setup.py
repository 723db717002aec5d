"""How all runs of a comparison were made, from their records."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mnist_seq.report.analyse.warnings import mapping
from mnist_seq.report.paper.trained import as_trained
from mnist_seq.report.read.run import Run

Values = tuple[str | int | float, ...]

_KEYS = {
    "data": "data.data", "sequence": "data.sequence", "num_train": "data.num_train",
    "num_valid": "data.num_valid", "num_test": "data.num_test", "epochs": "training.epochs",
    "asked_updates": "training.updates", "batch_size": "training.batch_size",
    "clip_norm": "training.clip_norm", "clip_value": "training.clip_value",
    "early_stop": "training.early_stop",
    "evaluate": "training.evaluate", "optimizer": "optimizer.name", "lr": "optimizer.lr",
    "weight_decay": "optimizer.weight_decay", "schedule": "schedule.name",
    "precision": "device.precision", "order": "training.order", "fingerprint": "data.fingerprint",
}  # fmt: skip
VERSIONS = {"python": "Python", "torch": "PyTorch", "numpy": "NumPy", "hydra-core": "Hydra"}
_MOST_SWEEPS = 4  # whose commands are looked up


@dataclass(frozen=True)
class Setup:
    """How all runs of a comparison were made.

    Attributes:
        facts: by name, each value that some run has, in order; a fact that no run has is absent.
        seeds: of all runs.
        splits: by seed, hashes of the split into training and validation examples.
        num_runs: runs that have begun.
        seconds: of training, of all runs together.
        commands: that trained the sweeps, as far as their folders say.
        over: keys that were tuned on validation.
        is_dirty: whether some run comes from code with uncommitted changes.
    """

    facts: Mapping[str, Values]
    seeds: tuple[int, ...]
    splits: Mapping[int, Values]
    num_runs: int
    seconds: float
    commands: tuple[str, ...] = ()
    over: tuple[str, ...] = ()
    is_dirty: bool = False

    def all_of(self, name: str) -> Values:
        """Each value of a fact; () where no run says it."""
        return self.facts.get(name, ())

    def one(self, name: str) -> str | int | float | None:
        """The value of a fact that all runs share; None where they do not."""
        found = self.all_of(name)
        return found[0] if len(found) == 1 else None


def setup_of(runs: Sequence[Run], over: Iterable[str]) -> Setup:
    """The setup of some runs.

    Args:
        over: keys that were tuned on validation.
    """
    by_run = [_facts(run) for run in runs]
    facts = {name: _each(facts[name] for facts in by_run) for name in by_run[0]}
    splits: dict[int, list[object]] = {}
    for run in runs:
        splits.setdefault(run.seed, []).append(str(run.data.get("split", ""))[:12])
    folders = list(dict.fromkeys(run.folder.parent for run in runs))[:_MOST_SWEEPS]
    return Setup(
        facts={name: values for name, values in facts.items() if values},
        seeds=tuple(sorted(splits)),
        splits={seed: _each(splits[seed]) for seed in sorted(splits)},
        num_runs=len(runs),
        seconds=math.fsum(run.seconds for run in runs if math.isfinite(run.seconds)),
        commands=tuple(filter(None, map(as_trained, folders))),
        over=tuple(over),
        is_dirty=any(mapping(run, "code").get("is_dirty") for run in runs),
    )


def _facts(run: Run) -> dict[str, object]:
    task, host, code = (mapping(run, name) for name in ("task", "host", "code"))
    versions = mapping(run, "versions")
    return {
        **{name: run.values.get(key) for name, key in _KEYS.items()},
        "time_steps": task.get("time_steps"),
        "input_size": task.get("input_size"),
        "updates": run.updates if math.isfinite(run.updates) else None,
        "device": run.record.get("device"),
        "cpu": host.get("cpu"),
        "commit": str(code.get("commit") or "")[:12],
        "code": str(code.get("shared") or code.get("hash") or "")[:12],
        "version": code.get("version") or versions.get("mnist_seq"),
        "day": str(run.record.get("started") or "")[:10],
        **{name: versions.get(name) for name in VERSIONS},
    }


def _each(values: Iterable[object]) -> Values:
    """Each value once, numbers by size, then texts; without those that say nothing."""
    known = {v for v in values if isinstance(v, str | int | float) and v != ""}
    return tuple(sorted(known, key=lambda v: (isinstance(v, str), v if isinstance(v, str) else "",
                                              0 if isinstance(v, str) else v)))  # fmt: skip
