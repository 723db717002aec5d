"""Every file of a run damaged in every way: said in one line that names it, and nothing is lost."""

import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from mnist_seq.config import Config, ConfigError, conf_dir, parse, plain
from mnist_seq.report.build import build
from mnist_seq.report.options import Options
from mnist_seq.report.read.collect import collect
from mnist_seq.runs.errors import Interrupted, RunFailed
from mnist_seq.runs.events import Listener, Progress
from mnist_seq.runs.folder import RunFolder
from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.runs.variants import flat
from mnist_seq.sweep.plan.planner import Planner
from mnist_seq.tracking.wandb.run import contents
from mnist_seq.tracking.wandb.sync import item
from mnist_seq.training.preflight.prepare import Prepared
from mnist_seq.training.run import Job, recorded_end, train_run
from tests.conftest import some
from tests.faults.damage import ALL, ENDLESS, FEW
from tests.tasks.made import locate
from tests.training.conftest import SMALL

WORDS = ("data.limit=160", "data.valid=40", "training.batch_size=20", "training.eval_every=3",
         "training.checkpoint_every=4", "training.evaluate=best", "model.hidden=4")  # fmt: skip
FINISHED, STOPPED = "seed=0", "seed=2"
FILES = ("run.json", "metrics.jsonl", "checkpoint.pt", "best.pt", "model.pt", "predictions.npz",
         "result.json")  # fmt: skip
VICTIMS = [(FINISHED, file) for file in FILES] + [(STOPPED, file) for file in FILES[:4]]


class Stop(Listener):
    """Interrupts a run at the step after a checkpoint, as a signal does."""

    def progressed(self, event: Progress) -> None:
        if event.step == 6:
            signal.raise_signal(signal.SIGTERM)


@dataclass
class Sweep:
    """Three finished runs, and one that was stopped in the middle."""

    folder: Path
    values: dict[str, Any]  # composed config of each run
    configs: dict[str, Config]
    whole: dict[str, Any]  # what each of them reaches undisturbed

    def run(self, name: str) -> RunFolder:
        return RunFolder(self.folder / name)

    def train(self, name: str, *listeners: Listener) -> Any:
        """Start the run as the command does; its metrics."""
        located = locate("mnist_5k", Path("data"))
        job = Job(self.configs[name], located, self.run(name), name, (name,))
        ended = recorded_end(job) or train_run(job, [*listeners])
        return ended.metrics

    def others(self, name: str) -> dict[str, bytes]:
        """All bytes of the other runs."""
        return {
            str(path): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and name not in path.parts
        }


def numbers(run: RunFolder) -> Any:
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in run.metrics()]
    labels, predictions = run.predictions()
    return run.result()["metrics"], rows, labels.tolist(), predictions.tolist()


def composed(name: str) -> Any:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        cfg = compose("train", [*SMALL, *WORDS, name, "sweep.name=s"])
    return OmegaConf.to_container(cfg, resolve=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    root = tmp_path_factory.mktemp("made")
    values = {name: composed(name) for name in (f"seed={seed}" for seed in range(4))}
    sweep = Sweep(root / "s", values, {name: parse(values[name]) for name in values}, {})
    for name in values:
        sweep.run(name).path.mkdir(parents=True)
        sweep.train(name)
        sweep.whole[name] = numbers(sweep.run(name))
    shutil.rmtree(sweep.run(STOPPED).path)
    sweep.run(STOPPED).path.mkdir()
    with pytest.raises(Interrupted):
        sweep.train(STOPPED, Stop())
    assert sweep.run(STOPPED).state() == "interrupted"
    assert len(sweep.run(STOPPED).metrics()) == 2
    return sweep


@pytest.fixture
def sweep(made: Sweep, tmp_path: Path) -> Sweep:
    shutil.copytree(made.folder, tmp_path / "s")
    return replace(made, folder=tmp_path / "s")


def said(error: BaseException, file: str) -> None:
    """An error is one line that names the file."""
    text = str(error)
    assert file in text
    assert len(text.splitlines()) == 1, text


def bytes_of(folder: Path) -> dict[str, bytes]:
    """What a run has reached so far; error.txt and run.json may tell of a later start."""
    keep = ("error.txt", "run.json")
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.name not in keep and path.is_file() and not path.is_symlink()
    }


def check_train(sweep: Sweep, victim: str, file: str) -> str:
    """The same run once more: refused with all files as they were, or the same numbers."""
    run, before = sweep.run(victim), bytes_of(sweep.run(victim).path)
    had_result = victim == FINISHED and file != "result.json"
    try:
        metrics = sweep.train(victim)
    except (ValueError, OSError, RunFailed) as error:
        said(error, file)
        assert bytes_of(run.path) == before
        return "refused"
    assert metrics == sweep.whole[victim][0]
    if had_result:
        assert bytes_of(run.path) == before
    else:
        assert numbers(run) == sweep.whole[victim]
    return "right"


def check_plan(sweep: Sweep, victim: str, file: str) -> str:
    """The sweep's command once more: the damaged run is refused, or gone on with; others stay."""
    folder = SweepFolder(sweep.folder)

    def prepare(config: Config) -> Prepared:
        return Prepared(config, locate("mnist_5k", Path("data")))

    def decide(stale: Any) -> dict[str, str]:
        planner = Planner(
            folder,
            values=lambda words: sweep.values[words[0]],
            check=parse,
            prepare=prepare,
            swept=["seed"],
        )
        runs = planner.plan([(name,) for name in sweep.configs])
        return {run.name: run.action for run in planner.decide(runs, stale)}

    try:
        found = decide("error")
    except (ConfigError, OSError) as error:
        said(error, victim)
        assert decide("rerun")[victim] == "rerun"
        return "refused"
    rest = {name: action for name, action in found.items() if name != victim}
    assert rest == {n: "resume" if n == STOPPED else "reuse" for n in rest}
    has_result = sweep.run(victim).result_path.exists()
    assert (found[victim] == "reuse") == has_result
    return "right"


def check_compare(sweep: Sweep, victim: str, file: str) -> str:
    """The table has all other runs as they were; the damaged one is right, or named."""
    collected = collect([sweep.folder])
    report = build(collected, Options(), defaults=flat(plain(sweep.configs[FINISHED])))
    by_name = {run.folder.name: run for run in collected.runs}
    for name, run in by_name.items():
        if run.state == "finished":
            assert run.metrics == sweep.whole[name][0]
        if name != victim:
            assert run.state == ("interrupted" if name == STOPPED else "finished")
    notes = " ".join([*report.warnings, *report.notes, *(s.reason for s in report.skipped),
                      *(s.folder for s in report.skipped),
                      *(run.reason for run in collected.runs)])  # fmt: skip
    assert "\n" not in notes
    if victim in by_name:
        found = by_name[victim]
        # Where the name of a checksum is damaged, the row is right and has a key too many
        wanted = sweep.whole[victim][1]
        rows = [{k: row.get(k) for k in wanted[0]} for row in found.history]
        is_right = (
            found.state == "finished"
            and rows == wanted
            and found.predictions is not None
            and found.predictions[1].tolist() == sweep.whole[victim][3]
        )
        if is_right:
            return "right"
    if sweep.run(victim).path.name == FINISHED:
        assert file in notes, notes
    return "said"


def check_sync(sweep: Sweep, victim: str, file: str) -> str:
    """What W&B would be told is what the run reached, or the run is not sent at all."""
    run = sweep.run(victim)
    try:
        item.read(run)
        rows, end, _ = contents.rows(run), contents.ending(run), contents.samples(run)
    except (ValueError, OSError) as error:
        said(error, file)
        return "refused"
    if end.state == "finished":
        assert end.metrics == sweep.whole[victim][0]
    steps = [row["step"] for row in sweep.whole[victim][1]]
    assert [row["step"] for row in rows] == steps[: len(rows)]
    return "right"


OPERATIONS: dict[str, Callable[..., str]] = {
    "plan": check_plan,
    "compare": check_compare,
    "sync": check_sync,
    "train": check_train,
}


def check(sweep: Sweep, victim: str, file: str, how: str) -> None:
    """Damage a file, and let every command meet it."""
    {**ALL, **ENDLESS}[how](sweep.run(victim).path / file)
    others = sweep.others(victim)
    for name, operation in OPERATIONS.items():
        outcome = operation(sweep, victim, file)
        assert sweep.others(victim) == others, f"{name} has changed another run"
        if how == "a upload elsewhere":
            assert outcome in ("right", "said" if victim == STOPPED else "right"), name


@pytest.mark.parametrize("how", some([*FEW, *ENDLESS], 6))
@pytest.mark.parametrize(("victim", "file"), VICTIMS)
def test_a_damaged_file_of_a_run_is_named_and_nothing_is_lost(
    sweep: Sweep, victim: str, file: str, how: str
) -> None:
    """A number that changes without a word is worse than no number; what never ends in a file's
    place is not waited for."""
    check(sweep, victim, file, how)


@pytest.mark.exhaustive
@pytest.mark.parametrize("how", [how for how in ALL if how not in FEW])
@pytest.mark.parametrize(("victim", "file"), VICTIMS)
def test_every_tenth_and_every_bit_of_a_damaged_file(
    sweep: Sweep, victim: str, file: str, how: str
) -> None:
    """The same for each cut and for bits all over the file."""
    check(sweep, victim, file, how)
