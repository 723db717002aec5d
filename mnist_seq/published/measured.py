"""Makes a stored result of run folders."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from mnist_seq.config.errors import ConfigError
from mnist_seq.published.curve import curve_of
from mnist_seq.published.rows import Row
from mnist_seq.published.stored import Seed, Stored, variant_of
from mnist_seq.runs.folder import RunFolder, find_runs
from mnist_seq.runs.text import plural

# Groups and keys of a config that say where and for whom a run trains
_NOT_STORED = {"seed", "arm", "tracker", "sweep", "device"}
_PATHS = {"root", "path"}


class Subject(Protocol):
    """What a stored result is of: a published number, or a learning curve of one's own.

    Attributes:
        metric: of result.json.
        words: the overrides of its runs, without the seed.
    """

    @property
    def experiment(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def metric(self) -> str: ...
    @property
    def words(self) -> tuple[str, ...]: ...


def from_folder(folder: Path, row: Row, variant: str | None = None) -> Stored:
    """The result of the runs at or below a folder that repeat a published number.

    Args:
        variant: `variant_of` the config that the row has now; None asks the runs' words alone.

    Raises:
        ConfigError: there are none, or they are of several kinds, or one has not ended.
    """
    found = [run for run in runs_below(folder) if row.is_of(run.record())]
    if not found:
        raise ConfigError(
            f"no run of {row.id} is in {folder}: its runs have {' '.join(row.words)}, no other "
            "override that counts, and the data that these name"
        )
    others = [run for run in found if variant not in (None, variant_of(run.record()["config"]))]
    if others:
        raise ConfigError(
            f"{row.id} in {folder} has {plural(len(others), 'run')} of another config than it has "
            f"now, such as {others[0].path.name}; train them anew with sweep.stale=rerun"
        )
    check_ended(found, row.id, folder)
    return from_runs(found, row)


def runs_below(folder: Path) -> list[RunFolder]:
    """The runs at or below a folder, without those that sweep.stale=rerun has set aside."""
    return [run for run in find_runs(folder) if ".stale" not in run.path.parts]


def check_ended(runs: Sequence[RunFolder], name: str, folder: Path) -> None:
    """Refuse runs of a result that still train, or failed.

    Raises:
        ConfigError: names one.
    """
    open_ = [run.path.name for run in runs if run.state() not in ("finished", "diverged")]
    if open_:
        raise ConfigError(
            f"{name} in {folder} has {plural(len(open_), 'run')} still to end, such as "
            f"{open_[0]}; the same command goes on with them"
        )


def from_runs(found: Sequence[RunFolder], row: Subject) -> Stored:
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

    metric = row.metric
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


def _command(row: Subject, seeds: Sequence[int]) -> str:
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
