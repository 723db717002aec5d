"""Records that somebody changed, through all that reads them: named in one line, or harmless."""

import random
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from mnist_seq import compare
from mnist_seq.config import conf_dir
from mnist_seq.notebook import compose, load_run
from mnist_seq.report.read.frame import load_sweep
from mnist_seq.runs.events import BY_ACCURACY
from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.sweep.plan.estimate import measured_speeds
from mnist_seq.sweep.plan.others import runs_to_compare
from mnist_seq.sweep.plan.planner import Planner
from mnist_seq.tasks.located import Located
from mnist_seq.tracking.wandb.run import contents
from mnist_seq.tracking.wandb.sync import send
from mnist_seq.tracking.wandb.sync.item import read as read_item
from mnist_seq.training.preflight.prepare import Prepared
from tests.faults.mutate import mutate
from tests.report.sweeps import write_run

TASK = {
    "name": "mnist", "output": "class", "num_outputs": 10, "per_step": False, "time_steps": 28,
    "input_size": 28, "main": "accuracy", "metrics": BY_ACCURACY["metrics"],
    "guess": {"accuracy": 0.11, "loss": 2.3},
}  # fmt: skip
WANDB = {"id": "abc", "mode": "online", "url": "", "state": "offline", "project": "p",
         "entity": "e", "tags": ["x"], "reason": ""}  # fmt: skip
FEW, MANY = range(3), range(3, 263)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two cells with two seeds each; one run more diverged, one failed, one was interrupted."""
    sweep = tmp_path_factory.mktemp("made") / "s"
    for seed in range(2):
        for cell in ("lstm", "gru"):
            write_run(sweep, cell, 4, seed, accuracy=0.9 + seed / 100, name=f"{cell} {seed}")
    for seed, state in enumerate(("diverged", "failed", "interrupted"), 2):
        write_run(sweep, "gru", 4, seed, state=state, name=f"gru {seed}")
    folder = SweepFolder(sweep)
    for run in folder.runs():
        run.update_record(task=TASK, wandb=WANDB, stack=1, starts=1, created="2026-01-01")
    folder.note("planned", "gru 4")
    folder.note("interrupted", "gru 4", reason="pruned")
    folder.config_path.write_text("hydra:\n  sweeper:\n    sampler: random\n")
    return sweep


def compared(sweep: Path) -> None:
    values = yaml.safe_load((conf_dir() / "compare.yaml").read_text())
    values |= {"sweep": str(sweep), "formats": ["markdown", "csv"]}
    with open("/dev/null", "w", encoding="utf-8") as nowhere:
        compare.run(values, Console(file=nowhere, width=120))


def loaded(sweep: Path) -> None:
    for folder in sweep.iterdir():
        if folder.is_dir() and folder.name != "report":
            with harmless():
                run = load_run(folder)
                repr(run), run._repr_html_(), run.history, run.metrics
                with harmless():
                    run.predictions  # noqa: B018
                with harmless():
                    run.config  # noqa: B018
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # names what it skips
        load_sweep(sweep).history()


def synced(sweep: Path) -> None:
    for folder in SweepFolder(sweep).runs():
        with harmless():
            item = read_item(folder)
            contents.rows(folder), contents.samples(folder), contents.classes_on_test(folder)
            contents.summary(folder, contents.ending(folder))
            assert item.identity.home in (sweep, folder.path)
            send._whole_file(item)


def planned(sweep: Path) -> None:
    config = compose("data=mnist_5k", "tracker=none")
    folder = SweepFolder(sweep)
    planner = Planner(
        folder,
        values=lambda words: {"seed": int(words[0].partition("=")[2])},
        check=lambda values: config.model_copy(update={"seed": values["seed"]}),
        prepare=lambda config: Prepared(config, Located("mnist_5k", "mnist_5k", (), "f" * 64, "")),
        swept=["seed"],
    )
    measured_speeds([sweep])
    folder.ledger()
    runs = planner.plan([("seed=0",), ("seed=1",)])
    for stale in ("error", "rerun", "keep"):
        with harmless():
            planner.decide(runs, stale)  # type: ignore[arg-type]
    runs_to_compare(folder, runs)


class harmless:
    """A block that may end with a refusal in one line."""

    def __enter__(self) -> list[str]:
        self.said: list[str] = []
        return self.said

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, ValueError | OSError):
            return False
        text = str(error)
        assert text, repr(error)
        assert len(text.splitlines()) == 1, text
        assert len(text) < 3000
        self.said.append(text)
        return True


READERS: dict[str, Callable[[Path], None]] = {
    "compare": compared, "load": loaded, "sync": synced, "plan": planned,
}  # fmt: skip


def check(made: Path, tmp_path: Path, seed: int) -> None:
    """One run with a change, through every reader."""
    draw = random.Random(seed)
    sweep, outside = tmp_path / "in" / "s", tmp_path / "outside"
    shutil.copytree(made, sweep)
    outside.mkdir()
    run = draw.choice(sorted(path for path in sweep.iterdir() if path.is_dir()))
    if not (run / "result.json").exists():
        run = sweep / "gru 0"
    what = mutate(run, draw)
    before = {p: p.read_bytes() for p in sweep.rglob("*") if p.is_file()}
    for name, read in READERS.items():
        try:
            with harmless() as refusal:
                read(sweep)
            assert not refusal or run.name in refusal[0] or "multirun.yaml" in refusal[0]
        except Exception as error:
            raise AssertionError(f"seed {seed}, {run.name}, {what}: {name}: {error!r}") from error
    assert not list(outside.iterdir())
    assert {p.name for p in sweep.parent.iterdir()} == {"s"}
    assert {p: p.read_bytes() for p in before} == before


@pytest.mark.parametrize("seed", FEW)
def test_a_changed_record_ends_nothing_with_a_traceback(
    made: Path, tmp_path: Path, seed: int
) -> None:
    check(made, tmp_path, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", MANY)
def test_many_changed_records(made: Path, tmp_path: Path, seed: int) -> None:
    check(made, tmp_path, seed)
