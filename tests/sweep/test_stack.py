"""`hydra/launcher=stack` for real: the pool's folders and numbers, whatever happens to a run."""

import os
import re
import signal
from pathlib import Path

import pytest

from mnist_seq.runs.folder import RunFolder
from mnist_seq.sweep.stack.stackable import shape_of
from tests.sweep.conftest import SMALL, SweepRunner, changes, gone, numbers, wait_until
from tests.training.conftest import make_config

STACK = ["hydra/launcher=stack", "hydra.launcher.workers=1"]
FOUR = [*SMALL, "model.hidden=8", "model.dropout=0.2", "data.limit=1200", "training.epochs=2",
        "seed=range(2)", "optimizer.lr=0.01,0.003", "sweep.baseline=none",
        "sweep.name=s"]  # fmt: skip
NAMES = [f"seed={seed},optimizer.lr={lr}" for seed in range(2) for lr in (0.01, 0.003)]


@pytest.fixture(scope="module")
def by_pool(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunFolder]:
    """The pool's runs."""
    runner = SweepRunner(tmp_path_factory.mktemp("pool"))
    runner(*FOUR)
    return {name: runner.sweep("s").run(name) for name in NAMES}


def check_alike(run: RunFolder, expected: RunFolder) -> None:
    """Equal files and steps, and numbers that differ by float32's rounding."""
    metrics, rows, labels, predictions = numbers(run)
    theirs = numbers(expected)
    assert metrics == pytest.approx(theirs[0], abs=5e-3)
    assert [row["step"] for row in rows] == [row["step"] for row in theirs[1]]
    for row, their_row in zip(rows, theirs[1], strict=True):
        assert row == pytest.approx(their_row, abs=5e-3)
    assert labels == theirs[2]
    same = sum(a == b for a, b in zip(predictions, theirs[3], strict=True))
    assert same >= 0.98 * len(labels)
    logs = {"train.log"}  # Hydra's, of what Python logs
    assert names_in(run) - logs == names_in(expected) - logs


def names_in(run: RunFolder) -> set[str]:
    return {path.name for path in run.path.iterdir()}


@pytest.mark.slow
def test_a_stack_gives_the_folders_and_numbers_of_the_pool(
    sweep: SweepRunner, by_pool: dict[str, RunFolder]
) -> None:
    """Whoever reads the folders need not know how they came to be."""
    output = sweep(*FOUR, *STACK)
    assert "1 stack of 4 runs" in output
    assert output.count("finished seed=") == 4
    folder = sweep.sweep("s")
    for name in NAMES:
        check_alike(folder.run(name), by_pool[name])
        record, theirs = folder.run(name).record(), by_pool[name].record()
        assert (record["stack"], theirs["stack"]) == (4, 1)
        assert record.keys() == theirs.keys()
        assert record["config_hash"] == theirs["config_hash"]
        assert "test accuracy" in (folder.run(name).path / "log.txt").read_text()
    assert sorted(changes(folder, "started")) == sorted(changes(folder, "finished"))
    assert "4 already done" in sweep(*FOUR), "the pool takes a stack's runs for its own"


@pytest.mark.slow
def test_kill_9_costs_what_came_after_the_checkpoints(
    sweep: SweepRunner, by_pool: dict[str, RunFolder]
) -> None:
    """The system's out-of-memory killer takes the whole stack; no line may stand there twice."""
    sweep.trouble(**{NAMES[1]: "kill"})
    output = sweep(*FOUR, *STACK, code=1)
    assert "4 failed" in output
    assert "SIGKILL" in output
    folder = sweep.sweep("s")
    sweep.no_trouble()
    assert "4 to try again after a failure" in sweep(*FOUR, *STACK)
    for name in NAMES:
        check_alike(folder.run(name), by_pool[name])
    assert "resumed at step 8" in (folder.run(NAMES[2]).path / "log.txt").read_text()
    assert gone(sweep.folder, 10)


@pytest.mark.slow
def test_kill_9_of_the_command_ends_its_stack_and_the_next_goes_on(
    sweep: SweepRunner, by_pool: dict[str, RunFolder]
) -> None:
    """No worker stays behind and writes into folders that another command has taken."""
    sweep.trouble(**{NAMES[0]: "slow"})
    process = sweep.start(*FOUR, *STACK)
    folder = sweep.sweep("s")
    wait_until(lambda: bool(folder.run(NAMES[0]).metrics()), process)
    process.kill()
    process.communicate(timeout=60)
    assert gone(sweep.folder, 30)
    sweep.no_trouble()
    assert "4 to resume" in sweep(*FOUR, *STACK)
    for name in NAMES:
        check_alike(folder.run(name), by_pool[name])


@pytest.mark.slow
def test_a_run_that_fails_or_diverges_leaves_the_others_as_they_were(
    sweep: SweepRunner, by_pool: dict[str, RunFolder]
) -> None:
    """A stack must not be weaker than its weakest run."""
    sweep.trouble(**{NAMES[3]: "raise"})
    words = ["optimizer.lr=0.01,0.003,1.0e+30" if "optimizer.lr" in w else w for w in FOUR]
    output = sweep(
        *words, *STACK, "sweep.retries=1", "model.nonlinearity=relu", "model=rnn", code=1
    )
    folder = sweep.sweep("s")
    assert "1 failed" in output
    lost = [f"seed={seed},optimizer.lr=1e+30" for seed in range(2)]
    assert sorted(changes(folder, "diverged")) == lost, output
    assert sorted(changes(folder, "finished")) == sorted(NAMES[:3])
    assert changes(folder, "retried") == [NAMES[3]]
    assert "the job's own fault" in folder.run(NAMES[3]).error()
    sweep.no_trouble()
    others = [*FOUR[:-1], "sweep.name=alone", "model.nonlinearity=relu", "model=rnn"]
    sweep(*others)
    for name in NAMES[:3]:
        check_alike(folder.run(name), sweep.sweep("alone").run(name))


def test_a_folder_that_cannot_be_used_costs_its_own_run_alone(sweep: SweepRunner) -> None:
    """Whatever is in its way, and whether or not the stack's own log was to lie there."""
    folder = sweep.sweep("s").path
    (folder / NAMES[0] / "log.txt").mkdir(parents=True)
    (folder / NAMES[1]).touch()
    (folder / NAMES[2] / ".lock").mkdir(parents=True)
    output = sweep(*FOUR, *STACK, code=1)
    assert "1 stack of 4 runs" in output
    assert changes(sweep.sweep("s"), "finished") == [NAMES[3]]
    for name, where in zip(NAMES, ("/log.txt", "", "/.lock"), strict=False):
        assert re.search(rf"FAILED {re.escape(name)} .*{re.escape(name + where)}", output), output


@pytest.mark.slow
def test_ctrl_c_saves_every_run_of_the_stack(
    sweep: SweepRunner, by_pool: dict[str, RunFolder]
) -> None:
    """And the pool goes on from there, as the stack would."""
    sweep.trouble(**{NAMES[0]: "slow"})
    process = sweep.start(*FOUR, *STACK)
    folder = sweep.sweep("s")
    wait_until(lambda: bool(folder.run(NAMES[0]).metrics()), process)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert sorted(changes(folder, "interrupted")) == sorted(NAMES), output
    sweep.no_trouble()
    sweep(*FOUR)
    for name in NAMES:
        check_alike(folder.run(name), by_pool[name])


@pytest.mark.slow
def test_out_of_memory_halves_the_stack_which_goes_on(sweep: SweepRunner, tmp_path: Path) -> None:
    """By a real limit on the process's memory, which takes some runs and not all of them."""
    words = [*SMALL, "model.hidden=40", "data.limit=2000", "training.batch_size=1000",
             "training.epochs=2", "seed=range(8)", "sweep.baseline=none",
             "sweep.name=s"]  # fmt: skip
    sweep.trouble(**{f"seed={seed}": "little memory" for seed in range(8)})
    output = sweep(*words, *STACK, "hydra.launcher.max_runs=8")
    assert "1 stack of 8 runs" in output
    assert re.search(r"does not take more than [1-4] at once: 8 runs go on in stacks of", output)
    assert len(changes(sweep.sweep("s"), "finished")) == 8
    assert not changes(sweep.sweep("s"), "failed")


@pytest.mark.slow
def test_what_cannot_be_stacked_is_refused_by_name_or_goes_to_the_pool(
    sweep: SweepRunner,
) -> None:
    words = [*FOUR, *STACK, "training.early_stop=3"]
    output = sweep(*words, code=1)
    assert re.search(
        r"seed=0,optimizer\.lr=0\.01 cannot be part of a stack \(4 of 4 runs\): "
        r"training\.early_stop=3 .*; choose hydra/launcher=pool, or sweep\.unstackable=pool",
        output,
    )
    assert "4 runs alone" in sweep(*words, "sweep.unstackable=pool")
    assert len(changes(sweep.sweep("s"), "finished")) == 4


@pytest.mark.slow
def test_a_stack_that_is_over_its_time_is_one_fault(sweep: SweepRunner) -> None:
    """Three faults alike stop a sweep, and three runs of one process are one."""
    words = ["seed=range(5)" if word == "seed=range(2)" else word for word in FOUR]
    words.remove("optimizer.lr=0.01,0.003")
    sweep.trouble(**{f"seed={seed}": "slow" for seed in range(5)})
    limits = ["hydra.launcher.max_runs=3", "sweep.timeout=2", "training.epochs=20"]
    output = sweep(*words, *STACK, *limits, code=1)
    assert "2 stacks of 3 + 2 runs" in output
    assert "5 failed" in output
    assert "not started" not in output


@pytest.mark.slow
def test_a_stack_on_a_cpu_is_as_large_as_is_fast(sweep: SweepRunner) -> None:
    """Larger ones leave the cache."""
    words = [*SMALL, "model.hidden=4", "data.limit=40", "data.valid=0", "training.batch_size=40",
             "seed=range(17)", "sweep.baseline=none", *STACK]  # fmt: skip
    planned = "2 stacks of 9 + 8 runs"
    assert planned in sweep(*words, "sweep.name=s", "sweep.dry_run=true")
    assert planned in sweep(*words, "sweep.name=s")
    found = [sweep.sweep("s").run(f"seed={seed}").record()["stack"] for seed in range(17)]
    assert sorted(found) == [8] * 8 + [9] * 9


def test_only_runs_of_equal_shape_go_together() -> None:
    base = shape_of(make_config())
    for word in ("seed=3", "optimizer.lr=0.5", "optimizer.weight_decay=0.1", "schedule=cosine",
                 "model.init=orthogonal", "model.forget_bias=1", "tracker=none"):  # fmt: skip
        assert shape_of(make_config(word)) == base, word
    for word in ("model.hidden=9", "model=gru", "model.cifg=true", "optimizer=sgd",
                 "training.batch_size=50", "data.limit=900", "model.dropout=0.1",
                 "training.clip_norm=1"):  # fmt: skip
        assert shape_of(make_config(word)) not in (base, ""), word
    for word in ("model.readout_norm=batch", "device.precision=bf16"):
        assert not shape_of(make_config(word)), f"a stack has no {word}"
    lru, s5 = (shape_of(make_config("model=lru", f"model.form={form}")) for form in ("lru", "s5"))
    assert lru != s5, "their steps differ"
    assert shape_of(make_config("model.dropout=0.1")) == shape_of(make_config("model.dropout=0.2"))


def test_a_cell_names_the_keys_that_may_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key of another cell that has such a name may change the step."""
    chrono, three = (make_config("model=hgrn", f"model.forget_bias={b}") for b in ("chrono", 3))
    assert shape_of(chrono) == shape_of(three)
    monkeypatch.setattr(type(chrono.model), "initial_names", ())
    assert shape_of(chrono) != shape_of(three)


def test_another_sweeper_is_refused(sweep: SweepRunner) -> None:
    """It knows no plan, whose runs could be looked at together."""
    output = sweep(*SMALL, "hydra/sweeper=basic", "hydra/launcher=stack", code=1)
    assert "choose hydra/launcher=pool" in output


@pytest.mark.slow
def test_auto_is_the_pool_on_a_cpu(sweep: SweepRunner) -> None:
    output = sweep(*FOUR, "hydra/launcher=auto", "device=cpu")
    assert "stack" not in output
    assert len(changes(sweep.sweep("s"), "finished")) == 4
