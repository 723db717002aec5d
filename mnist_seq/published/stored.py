"""Results of ours that are stored with the code: `docs/results/<experiment>.<row>.json`.

Each file has one value a seed, what the seeds cost, on what they ran, and their learning curve.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from mnist_seq.config.members import folders, shipped
from mnist_seq.published.curve import Curve
from mnist_seq.runs import files
from mnist_seq.runs.variants import flat

RESULTS = "results"  # folder of stored results in a `--config-dir`


class _Checked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Seed(_Checked):
    """One run.

    Attributes:
        value: of the metric; None where the run diverged.
        minutes: of training; of a stack, its share.
    """

    seed: int
    value: float | None
    minutes: float


class Stored(_Checked):
    """The runs of one published number.

    Attributes:
        command: that trains them, without the folder's name.
        is_higher_better: for the metric, as the runs' task says; None in older files.
        variant: `variant_of` their config: the same for every run that repeats them.
        machine: the CPU or GPU, and the number of cores.
        code: hash of the code that trained them; see docs/architecture.md.
        config: that of the runs, without seed, device, paths and sweep: a run may have the same
            beginning. Empty in older files.
        fingerprint: of their data; "" in older files.
    """

    experiment: str
    row: str
    command: str
    metric: str
    is_higher_better: bool | None = None
    variant: str
    updates: int
    seeds: list[Seed] = Field(min_length=1)
    machine: str
    torch: str
    kernel: str
    code: str
    fingerprint: str = ""
    config: dict[str, Any] = Field(default_factory=dict)
    curve: Curve

    @property
    def id(self) -> str:
        """The name of its file."""
        return f"{self.experiment}.{self.row}"

    @property
    def values(self) -> list[float]:
        """Of the seeds that finished."""
        return [seed.value for seed in self.seeds if seed.value is not None]

    @property
    def minutes(self) -> float:
        """Of all seeds together."""
        return sum(seed.minutes for seed in self.seeds)


def results_dir() -> Path:
    """The folder of stored results: inside the package in a wheel, below docs/ in a clone."""
    conf = shipped()
    inside = conf.parent / RESULTS
    return inside if inside.is_dir() else conf.parent / "docs" / RESULTS


def results_dirs() -> list[Path]:
    """Folders of stored results: those of a user's own folders, in their order, and ours."""
    return [*(own / RESULTS for own in folders()), results_dir()]


def read_all(folder: Path | None = None) -> dict[str, Stored]:
    """All stored results of a folder, by their ids; of `results_dirs` where none is given.

    Raises:
        ValueError: a file is damaged, or not what `write` writes.
    """
    where = results_dirs() if folder is None else [folder]
    paths = [path for each in reversed(where) for path in sorted(each.glob("*.json"))]
    return {found.id: found for found in map(read, paths)}


def read(path: Path) -> Stored:
    """One stored result.

    Raises:
        ValueError: the file is damaged, or not what `write` writes.
        FileNotFoundError: there is none.
    """
    try:
        return Stored.model_validate(files.read_json(path))
    except ValueError as error:
        text = " ".join(str(error).split())
        raise ValueError(f"{path} must hold a stored result: {text}") from None


def write(stored: Stored, folder: Path) -> Path:
    """Write a stored result into a folder; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stored.id}.json"
    files.write_text(path, _text(stored.model_dump()))
    return path


def _text(values: Mapping[str, Any]) -> str:
    """JSON with one line for each seed and each list of numbers."""
    lines = []
    for key, value in values.items():
        if key == "seeds":
            inner = ",\n".join(f"    {json.dumps(seed)}" for seed in value)
            lines.append(f'  "seeds": [\n{inner}\n  ]')
        elif key == "curve":
            inner = ",\n".join(f"    {json.dumps(k)}: {json.dumps(v)}" for k, v in value.items())
            lines.append(f'  "curve": {{\n{inner}\n  }}')
        else:
            lines.append(f"  {json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def variant_of(config: Mapping[str, Any]) -> str:
    """A hash of what a run's config asks for, the same on every device and for every seed.

    Args:
        config: of run.json, or `config.plain` of a config.
    """
    values = {key: value for key, value in flat(config).items() if not key.startswith("device.")}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
