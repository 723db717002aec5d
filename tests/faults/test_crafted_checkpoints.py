"""A checkpoint whose entries are not those of the run: refused before a kernel sees it."""

import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from mnist_seq.config.paths import options
from mnist_seq.runs.errors import Interrupted, RunFailed
from mnist_seq.runs.events import Listener, Progress
from mnist_seq.runs.folder import RunFolder
from mnist_seq.training.checkpoint import restore_random
from mnist_seq.training.run import Job, train_run, train_stack
from tests.faults.crafted import crafted, crafts
from tests.tasks.made import locate
from tests.training.conftest import make_config

WORDS = ("data.limit=160", "data.valid=40", "training.batch_size=20", "training.eval_every=3",
         "model=gru", "model.hidden=4", "model.dropout=0.2")  # fmt: skip
OPTIMIZERS = options("optimizer")


class Stop(Listener):
    """Interrupts a run at a step, as a signal does."""

    def progressed(self, event: Progress) -> None:
        if event.step == 6:
            signal.raise_signal(signal.SIGTERM)


def job_in(path: Path, optimizer: str, seed: int = 0) -> Job:
    words = (*WORDS, f"optimizer={optimizer}", f"seed={seed}", "training.checkpoint_every=2")
    return Job(make_config(*words), locate("mnist_5k", Path("data")), RunFolder(path), "small")


def stopped_in(path: Path, optimizer: str, seed: int = 0) -> Job:
    """A run that was stopped in the middle."""
    path.mkdir(parents=True)
    job = job_in(path, optimizer, seed)
    with pytest.raises(Interrupted):
        train_run(job, [Stop()])
    return job


def content_of(job: Job) -> Any:
    return torch.load(job.folder.checkpoint_path, weights_only=True)


def bytes_of(path: Path) -> dict[str, bytes]:
    """What a run has reached; run.json and error.txt may tell of a later start."""
    own = {"run.json", "error.txt"}
    return {p.name: p.read_bytes() for p in path.iterdir() if p.is_file() and p.name not in own}


def check_refused(job: Job, saved: Any, name: str) -> None:
    torch.save(saved, job.folder.checkpoint_path)
    before = bytes_of(job.folder.path)
    with pytest.raises(RunFailed, match=r"checkpoint\.pt must be a checkpoint of this run") as said:
        train_run(job, [])
    assert len(str(said.value).splitlines()) == 1, name
    assert bytes_of(job.folder.path) == before, name


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_each_entry_is_compared_with_what_the_run_has_built(tmp_path: Path, optimizer: str) -> None:
    """torch's kernels write outside of their memory where an average has another shape."""
    job = stopped_in(tmp_path / "run", optimizer)
    saved = content_of(job)
    ways = crafts(saved)
    kept = [*list(ways)[:12], *random.Random(optimizer).sample(sorted(ways), 28)]
    for name in kept:
        check_refused(job, crafted(saved, ways[name]), name)
    torch.save(saved, job.folder.checkpoint_path)
    assert train_run(job, []).state == "finished"


def test_entries_that_are_one_tensor_get_memory_of_their_own(tmp_path: Path) -> None:
    """A step would write both averages into one place."""
    job = stopped_in(tmp_path / "run", "adam")
    apart, shared = content_of(job), content_of(job)
    for values, same in (
        (apart["optimizer"]["state"], False),
        (shared["optimizer"]["state"], True),
    ):
        for of_weight in values.values():
            average = of_weight["exp_avg_sq"].abs()
            of_weight["exp_avg"] = average if same else average.clone()
            of_weight["exp_avg_sq"] = average
    weights = []
    for i, saved in enumerate((apart, shared)):
        folder = shutil.copytree(job.folder.path, tmp_path / f"{i}")
        torch.save(saved, folder / "checkpoint.pt")
        train_run(job_in(folder, "adam"), [])
        weights.append(torch.load(folder / "model.pt", weights_only=True))
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_a_random_state_inside_a_larger_tensor_is_the_one_that_was_checked() -> None:
    """torch reads from the start of the memory, unchecked: its process would end by a signal."""
    own, other = (torch.Generator().manual_seed(seed) for seed in (3, 4))
    state = own.get_state()
    inside = torch.cat([other.get_state(), state])[len(state) :]
    found = torch.Generator()
    restore_random({"random": {"cpu": inside}}, found)
    assert torch.equal(found.get_state(), state)


def test_a_stack_goes_on_without_the_run_whose_checkpoint_is_another_ones(tmp_path: Path) -> None:
    jobs = [stopped_in(tmp_path / f"{seed}", "adam", seed) for seed in range(3)]
    saved = content_of(jobs[1])
    saved["optimizer"]["state"][0]["exp_avg"] = torch.zeros(1)
    torch.save(saved, jobs[1].folder.checkpoint_path)
    ended = train_stack(jobs, [[], [], []], share=0.0)
    assert [one.state for one in ended] == ["finished", "failed", "finished"]
    assert "optimizer.state[0][exp_avg] must be float32 [12, 28]: float32 [1]" in ended[1].reason


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["alone", "stack"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_no_crafted_checkpoint_ends_a_process_by_a_signal(
    tmp_path: Path, optimizer: str, kind: str
) -> None:
    """In a child process, so that a crash is seen; 25 of all ways for each optimizer."""
    folders = [tmp_path / "0", *([tmp_path / "1"] if kind == "stack" else [])]
    for seed, folder in enumerate(folders):
        stopped_in(folder, optimizer, seed)
    code = (
        "from tests.faults.test_crafted_checkpoints import go_on; import sys; go_on(*sys.argv[1:])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, optimizer, *map(str, folders)], text=True, capture_output=True
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"{lines[-1:]}: {done.returncode} {done.stderr[-2000:]}"
    assert len(lines) == 25


def go_on(optimizer: str, *paths: str) -> None:
    """Go on with runs from 25 crafted checkpoints of the first one; a line for each."""
    folders = [Path(path) for path in paths]
    jobs = [job_in(folder, optimizer, seed) for seed, folder in enumerate(folders)]
    saved = content_of(jobs[0])
    ways = crafts(saved)
    others = {folder: folder.with_name(f"{folder.name}-stopped") for folder in folders}
    for folder, other in others.items():
        shutil.copytree(folder, other)
    for name in random.Random(f"{optimizer}{len(paths)}").sample(sorted(ways), 25):
        for folder, other in others.items():
            shutil.rmtree(folder)
            shutil.copytree(other, folder)
        torch.save(crafted(saved, ways[name]), jobs[0].folder.checkpoint_path)
        before = bytes_of(folders[0])
        print(name, flush=True)
        if len(jobs) > 1:
            reason = train_stack(jobs, [[] for _ in jobs], share=0.0)[0].reason
        else:
            try:
                reason = train_run(jobs[0], []).state
            except RunFailed as error:
                reason = str(error)
        assert "checkpoint.pt must be a checkpoint of this run" in reason, (name, reason)
        assert len(reason.splitlines()) == 1, (name, reason)
        assert bytes_of(folders[0]) == before, name
