"""Results of ours that are stored with the code: `docs/results/<experiment>.<row>.json`.

Each file has one value a seed, what the seeds cost, on what they ran, and their learning curve.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from mnist_seq.config.errors import ConfigError
from mnist_seq.config.members import shipped
from mnist_seq.published.curve import Curve, curve_of
from mnist_seq.published.rows import Row
from mnist_seq.runs import files
from mnist_seq.runs.folder import RunFolder, find_runs
from mnist_seq.runs.text import plural
from mnist_seq.runs.variants import flat

# Groups and keys of a config that say where and for whom a run trains
_NOT_STORED = {"seed", "arm", "tracker", "sweep", "device"}
_PATHS = {"root", "path"}


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
    inside = conf.parent / "results"
    return inside if inside.is_dir() else conf.parent / "docs" / "results"


def read_all(folder: Path | None = None) -> dict[str, Stored]:
    """All stored results of a folder, by their ids; of `results_dir` where none is given.

    Raises:
        ValueError: a file is damaged, or not what `write` writes.
    """
    paths = sorted((folder or results_dir()).glob("*.json"))
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


def from_folder(folder: Path, row: Row, variant: str | None = None) -> Stored:
    """The result of the runs at or below a folder that repeat a published number.

    Args:
        variant: `variant_of` the config that the row has now; None asks the runs' words alone.

    Raises:
        ConfigError: there are none, or they are of several kinds, or one has not ended.
    """
    found = [
        run
        for run in find_runs(folder)
        if ".stale" not in run.path.parts and row.is_of(run.record())  # set aside: stale=rerun
    ]
    if not found:
        raise ConfigError(
            f"no run of {row.id} is in {folder}: its runs have {' '.join(row.words)}, no other "
            "override that counts, and the data that these name"
        )
    others = [run for run in found if variant not in (None, variant_of(run.record()["config"]))]
    if others:
        raise ConfigError(
            f"{plural(len(others), 'run')} of {row.id} in {folder} have another config than it has "
            f"now, such as {others[0].path.name}; train them anew with sweep.stale=rerun"
        )
    open_ = [run.path.name for run in found if run.state() not in ("finished", "diverged")]
    if open_:
        raise ConfigError(
            f"{plural(len(open_), 'run')} of {row.id} in {folder} have not ended, such as "
            f"{open_[0]}; the same command goes on with them"
        )
    return from_runs(found, row)


def from_runs(found: Sequence[RunFolder], row: Row) -> Stored:
    """The result of runs that have ended.

    Raises:
        ConfigError: they are not one variant, code and machine, or two have one seed.
    """
    records = [run.record() for run in found]
    results = [run.result() for run in found]
    seeds = [int(record["config"]["seed"]) for record in records]
    order = sorted(range(len(found)), key=lambda i: seeds[i])
    if len(set(seeds)) < len(seeds):
        raise ConfigError(f"a stored result has each seed once, and these runs of {row.id} do not")

    def one(what: str, values: Iterable[Any]) -> Any:
        kinds = sorted(set(values), key=str)
        if len(kinds) != 1:
            raise ConfigError(
                f"a stored result is of one {what}, and these runs of {row.id} have "
                f"{' and '.join(map(str, kinds))}; train them anew with sweep.stale=rerun"
            )
        return kinds[0]

    metric = row.expected.metric
    return Stored(
        experiment=row.experiment,
        row=row.name,
        command=_command(row, sorted(seeds)),
        metric=metric,
        is_higher_better=one("direction", (_is_higher_better(run, metric) for run in found)),
        variant=one("variant", (variant_of(record["config"]) for record in records)),
        updates=max(int(result["steps"]) for result in results),
        seeds=[_seed(seeds[i], results[i], records[i], metric) for i in order],
        machine=one("machine", map(machine_of, records)),
        torch=one("torch", (record.get("versions", {}).get("torch", "") for record in records)),
        kernel=one("kernel", (record.get("kernel", "") for record in records)),
        code=one("code", (record.get("code", {}).get("hash", "")[:16] for record in records)),
        fingerprint=one("data set", (record["data"].get("fingerprint", "") for record in records)),
        config=_asked(records[0]["config"]),
        curve=curve_of([found[i].metrics() for i in order], main=str(found[0].judged()["main"])),
    )


def _asked(config: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in config.items() if key not in _NOT_STORED}
    data = {key: value for key, value in config["data"].items() if key not in _PATHS}
    precision = config.get("device", {}).get("precision", "fp32")
    return {**kept, "data": data, "device": {"precision": precision}}


def _command(row: Row, seeds: Sequence[int]) -> str:
    is_range = list(seeds) == list(range(len(seeds)))
    listed = f"range({len(seeds)})" if is_range else ",".join(map(str, seeds))
    return " ".join(["python -m mnist_seq.train -m", *row.words, f"'seed={listed}'"])


def _seed(seed: int, result: Mapping[str, Any], record: Mapping[str, Any], metric: str) -> Seed:
    """One run; its value is None where it diverged, also at its end alone.

    Raises:
        ConfigError: it has no such metric.
    """
    metrics, is_finished = result["metrics"], result["state"] == "finished"
    if is_finished and metric not in metrics:
        raise ConfigError(
            f"expects.<row>.metric is one of result.json: {metric}; the runs have "
            f"{', '.join(sorted(metrics))}"
        )
    value = metrics[metric] if is_finished else None
    return Seed(seed=seed, value=value, minutes=round(minutes_of(result["seconds"], record), 3))


def _is_higher_better(run: RunFolder, metric: str) -> bool | None:
    """As the run's task says; None where it does not know the metric."""
    facts = run.judged()["metrics"].get(metric.rpartition("/")[2])
    return None if facts is None else bool(facts["higher_is_better"])


def minutes_of(seconds: float, record: Mapping[str, Any]) -> float:
    """What a run took; of a stack, its share.

    Args:
        seconds: of its training.
        record: its run.json.
    """
    stack = record.get("stack", 1)
    return seconds / 60 / (stack if isinstance(stack, int) and stack > 0 else 1)


def machine_of(record: Mapping[str, Any]) -> str:
    """The CPU or GPU of a run.json, and the number of cores."""
    host = record.get("host", {})
    if record.get("device", "cpu") != "cpu":
        return str(host.get("gpu") or record["device"])
    return f"{host.get('cpu', 'CPU')}, {host.get('cores', '?')} cores"
