"""What a reader asks first: data, training, optimizer, seeds, runs, test, code and machine."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mnist_seq.report.analyse.budgets import place_of
from mnist_seq.report.analyse.warnings import mapping
from mnist_seq.report.read.run import Run
from mnist_seq.report.sections import Inputs, Section
from mnist_seq.report.texts import fmt, words
from mnist_seq.runs.text import plural

_MOST = 4  # values of a key that are listed
Get = Callable[[Run], Any]


@dataclass(frozen=True)
class Fact:
    """One fact: its name, its value, and what a second line adds."""

    name: str
    value: str
    more: str = ""


@dataclass(frozen=True)
class Known:
    """The facts, the day on which the runs began, and the epochs of all; 0 where they differ."""

    facts: tuple[Fact, ...]
    day: str
    epochs: float


class Facts(Section[Known]):
    """Every report has it; the page shows it at its top."""

    order = 1.0
    of_tasks = None

    def compute(self, inputs: Inputs) -> Known:
        """Where the runs differ, their values, or that they do."""
        runs = inputs.runs
        days = sorted({day for run in runs if (day := str(run.record.get("started", ""))[:10])})
        day = " to ".join(map(fmt.date, days[:: max(1, len(days) - 1)]))
        found = (_data(runs), _training(runs), _optimizer(runs), _seeds(inputs), _runs(inputs),
                 _test(runs), _code(runs), _machine(runs, day))  # fmt: skip
        epochs = {run.values.get("training.epochs") for run in runs}
        one = epochs.pop() if len(epochs) == 1 else 0
        is_number = isinstance(one, int | float) and not isinstance(one, bool)
        facts = tuple(fact for fact in found if fact.value)
        return Known(facts, day, float(one) if is_number else 0.0)  # type: ignore[arg-type]


def _data(runs: Sequence[Run]) -> Fact:
    names = sorted({str(name) for run in runs if (name := run.values.get("data.name"))})
    few = fmt.joined([words.data(name) for name in names])
    name = few if len(names) <= _MOST else f"{len(names)} data sets"
    way = _values(runs, _key("data.sequence"))
    task = _values(runs, lambda run: _steps(mapping(run, "task")))
    return Fact("Data", f"{name}, read by {way}" if way and len(names) == 1 else name, task)


def _steps(task: Mapping[str, Any]) -> str:
    steps, size = task.get("time_steps"), task.get("input_size")
    if not isinstance(steps, int) or not isinstance(size, int):
        return ""
    return f"{fmt.count(steps)} time steps of {plural(size, 'value')}"


def _training(runs: Sequence[Run]) -> Fact:
    examples = _values(runs, _key("data.num_train"), fmt.count)
    epochs = _values(runs, _key("training.epochs"), fmt.plain)
    batch = _values(runs, _key("training.batch_size"), fmt.plain)
    updates = _values([run for run in runs if run.updates == run.updates],
                      lambda run: run.updates, fmt.count)  # fmt: skip
    noun = "epoch" if epochs == "1" else "epochs"
    value = f"{examples} examples {fmt.TIMES} {epochs} {noun}" if examples != "0" else updates
    return Fact("Training", value, f"{updates or fmt.NONE} updates of {batch}")


def _optimizer(runs: Sequence[Run]) -> Fact:
    name = _values(runs, _key("optimizer.name"))
    rate = _values(runs, _key("optimizer.lr"), fmt.plain)
    schedule = _values(runs, _key("schedule.name"))
    clip = _values(runs, _key("training.clip_norm"), _number)
    clipping = "no clipping" if clip in ("Infinity", "") else f"clipped at {clip}"
    if by_value := _values(runs, _key("training.clip_value"), _number):  # runs that have it
        clipping = f"clipped at values of {by_value}"
    value = f"{name[:1].upper()}{name[1:]}, lr {rate}" if rate else name
    return Fact("Optimizer", value, f"{schedule} schedule, {clipping}" if schedule else clipping)


def _seeds(inputs: Inputs) -> Fact:
    seeds = sorted({run.seed for run in inputs.runs})
    compared = [v.compared.comparison for v in inputs.variants if v.compared]
    is_paired = bool(compared) and all(c.is_paired for c in compared)
    text = f"{len(seeds)}, paired" if is_paired else str(len(seeds))
    return Fact("Seeds", text, f"{fmt.ranges(seeds)}; weights, order of data")


def _runs(inputs: Inputs) -> Fact:
    total = sum(v.planned for v in inputs.variants)
    done = sum(v.n for v in inputs.variants)
    lost = [
        f"{number} {state}"
        for state in ("failed", "diverged", "interrupted", "unreadable")
        if (number := sum(getattr(v, state) for v in inputs.variants))
    ]
    return Fact("Runs", f"{done:,} of {total:,} finished", ", ".join(lost) or "none lost")


def _test(runs: Sequence[Run]) -> Fact:
    size = _values(runs, _key("data.num_test"), fmt.count)
    which = _values(runs, _key("training.evaluate"))
    weights = {"last": "after the last update", "best": "with the weights that were best on valid"}
    return Fact("Test", f"{size} examples, read once" if size else "", weights.get(which, ""))


def _code(runs: Sequence[Run]) -> Fact:
    commit = _values(runs, lambda run: str(mapping(run, "code").get("commit", ""))[:7])
    dirty = any(bool(mapping(run, "code").get("is_dirty")) for run in runs)
    of_torch = _values(runs, lambda run: str(mapping(run, "versions").get("torch", "")))
    own = _values(runs, lambda run: str(mapping(run, "versions").get("mnist_seq", "")))
    parts = [f"{name} {version.partition('+')[0]}" for name, version in
             (("mnist_seq", own), ("torch", of_torch)) if version]  # fmt: skip
    state = "uncommitted changes" if dirty else "clean"
    return Fact("Code", f"{commit}, {state}" if commit else "unknown", ", ".join(parts))


def _machine(runs: Sequence[Run], day: str) -> Fact:
    cores = _values(runs, lambda run: mapping(run, "host").get("cores", ""), fmt.plain)
    places = sorted({place_of(run) for run in runs})
    name = places[0].partition(" on ")[2] if len(places) == 1 else f"{len(places)} kinds"
    device = _values(runs, lambda run: str(run.record.get("device", ""))).upper()
    precision = _values(runs, _key("device.precision"))
    value = f"{name}, {cores} cores" if name and cores else name or device
    return Fact("Machine", value, "; ".join(filter(None, [device, precision, day])))


def _key(name: str) -> Get:
    return lambda run: run.values.get(name, "")


def _number(value: Any) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return fmt.plain(float(value)) if is_number else str(value)


def _values(runs: Sequence[Run], get: Get, write: Callable[[Any], str] = str) -> str:
    """The one value of all runs; a few joined; of many their ends, or their number."""
    found = dict.fromkeys(value for run in runs if (value := get(run)) not in ("", None))
    try:
        numbers = sorted(found)
        texts = [write(value) for value in numbers]
    except (TypeError, ValueError):  # a value of another kind, in a folder of somebody else's
        texts = [str(value) for value in found]
    if len(texts) <= _MOST:
        return fmt.joined(list(dict.fromkeys(texts)), "or")
    is_number = all(isinstance(value, int | float) for value in found)
    return f"{texts[0]} to {texts[-1]}" if is_number else f"{len(texts)} kinds"
