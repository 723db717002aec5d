"""What a sweep finds to do, from what it is asked and what lies on the disk."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from mnist_seq.config import Config, identity, plain
from mnist_seq.config.parse import parse
from mnist_seq.config.paths import conf_dir
from mnist_seq.runs import code_identity
from mnist_seq.runs.errors import StaleRun
from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.sweep.plan.baselines import missing_baselines
from mnist_seq.sweep.plan.compose import Composer
from mnist_seq.sweep.plan.planner import MAX_NAME, PlannedRun, Planner, run_name
from mnist_seq.sweep.summary import grouped
from mnist_seq.tasks import Located
from mnist_seq.training.preflight.prepare import Prepared

Job = tuple[str, ...]


@pytest.fixture(scope="module")
def composer() -> Composer:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        return Composer(loader, loader.load_configuration("train", [], RunMode.MULTIRUN))


@pytest.fixture
def planner(composer: Composer, tmp_path: Path) -> Callable[..., Planner]:
    def make(*swept: str, data: str = "d", why_torch: str = "") -> Planner:
        def prepare(config: Config) -> Prepared:
            return Prepared(config, Located("mnist", "mnist", (), data, ""))

        return Planner(
            SweepFolder(tmp_path),
            values=composer.values,
            check=parse,
            prepare=prepare,
            swept=swept,
            why_torch=why_torch,
        )

    return make


def train(
    run: PlannedRun, state: str = "finished", code: str = "", scheme: int = code_identity.SCHEME
) -> None:
    """Leave behind what a run leaves behind."""
    run.folder.path.mkdir(parents=True, exist_ok=True)
    run.folder.update_record(
        config_hash=identity(run.config),
        config=plain(run.config),
        data={"fingerprint": run.identity.partition("/")[2]},
        code={"scheme": scheme, "hash": code or code_identity.code_hash(run.config)},
    )
    if state in ("finished", "diverged"):
        run.folder.write_result(state=state, metrics={}, num_params=1, seconds=1.0)
    elif state == "failed":
        run.folder.write_error("ValueError: no")


def actions(planner: Planner, jobs: list[Job], stale: Any = "error") -> dict[str, Any]:
    return {run.name: run.action for run in planner.decide(planner.plan(jobs), stale)}


SEEDS: list[Job] = [(f"seed={seed}",) for seed in range(5)]


def test_each_run_is_done_as_its_folder_stands(planner: Callable[..., Planner]) -> None:
    """The same command again finishes what is missing, and nothing else."""
    runs = planner("seed").plan(SEEDS)
    for run, state in zip(runs, ["finished", "diverged", "failed", "interrupted"], strict=False):
        train(run, state)
    assert actions(planner("seed"), SEEDS) == {
        "seed=0": "reuse", "seed=1": "reuse", "seed=2": "retry", "seed=3": "resume",
        "seed=4": "run",
    }  # fmt: skip


def test_auto_keeps_the_kernel_that_a_variant_has_in_the_sweep(
    planner: Callable[..., Planner],
) -> None:
    """Also that of runs from before the key, and in their new seeds; new variants are free."""
    for run in planner("seed").plan([(*words, "device.kernel=torch") for words in SEEDS[:2]]):
        train(run, "interrupted")
    auto: list[Job] = [(*words, "device.kernel=auto") for words in SEEDS[:3]]
    mine = planner("seed")
    runs = mine.plan([*auto, ("seed=0", "model=gru", "device.kernel=auto"),
                      ("seed=0", "model=mgu", "device.kernel=auto")])  # fmt: skip
    assert [run.config.device.kernel for run in runs] == ["torch"] * 3 + ["native", "torch"]
    assert [run.action for run in mine.decide(runs, "error")][:3] == ["resume", "resume", "run"]
    assert "native in 1 of 2 runs" in mine.kernels.notice([run.variant for run in runs])
    stacked = planner("seed", why_torch="a stack goes by torch's kernels")
    (run,) = stacked.plan([("model=gru", "device.kernel=auto")])
    assert run.config.device.kernel == "torch"
    assert "since a stack" in stacked.kernels.notice([run.variant])


def num_calls(work: Callable[[], object]) -> int:
    """Calls of Python and C functions: what takes time, counted."""
    num = 0

    def count(frame: object, event: str, arg: object) -> None:
        nonlocal num
        num += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return num


def test_planning_is_linear_in_the_runs(planner: Callable[..., Planner]) -> None:
    """Half of them finished before: a tenth run is found, composed and shown like the first."""

    def plan(num: int) -> None:
        jobs: list[Job] = [(f"model.hidden={i // 2 + 1}", f"seed={i % 2}") for i in range(num)]
        for run in planner("model.hidden", "seed").plan(jobs[::2]):
            train(run)
        runs = planner("model.hidden", "seed")
        grouped(runs.decide(runs.plan(jobs), "error"))

    plan(4)  # what is looked up once
    few, more, most = (num_calls(lambda n=n: plan(n)) for n in (12, 24, 48))
    assert most - more == pytest.approx(2 * (more - few), rel=0.1)


def test_equal_configs_are_one_run(planner: Callable[..., Planner]) -> None:
    """`model.hidden=64` is the default: written out or not, it is the same run."""
    jobs: list[Job] = [("seed=0",), ("seed=0", "model.hidden=64"), ("seed=0", "optimizer.lr=1e-2")]
    assert len(planner("seed", "model.hidden").plan(jobs)) == 1


def test_a_run_keeps_its_folder_when_the_grid_around_it_changes(
    planner: Callable[..., Planner],
) -> None:
    train(planner("seed").plan([("seed=1",)])[0])
    jobs: list[Job] = [("seed=1", f"model.hidden={hidden}") for hidden in (32, 64)]
    assert actions(planner("model.hidden", "seed"), jobs) == {
        "seed=1,model.hidden=32": "run", "seed=1": "reuse"
    }  # fmt: skip


def test_another_config_data_or_code_is_refused_by_name(planner: Callable[..., Planner]) -> None:
    """A mixture of two experiments in one table would be worse than no table."""
    first, second, third = planner("seed").plan(SEEDS[:3])
    train(first)
    train(second, code="0" * 64)
    train(third)
    changed = [(*job, "model.hidden=32") for job in SEEDS[:1]]
    with pytest.raises(StaleRun, match=r"seed=0 \(model.hidden \(64, now 32\)\)"):
        actions(planner("seed"), changed)
    with pytest.raises(StaleRun, match=r"1 run of .*seed=1 \(code 00000000, now "):
        actions(planner("seed"), SEEDS[:3])
    with pytest.raises(StaleRun, match=r"3 runs of .*\(other data\)"):
        actions(planner("seed", data="e"), SEEDS[:3])
    assert list(actions(planner("seed"), changed, "rerun").values()) == ["rerun"]
    assert list(actions(planner("seed"), changed, "keep").values()) == ["reuse"]


def test_code_of_an_older_scheme_is_refused_by_name(planner: Callable[..., Planner]) -> None:
    """Its hash cannot be compared; whoever knows that it is the same says so."""
    (run,) = planner("seed").plan(SEEDS[:1])
    train(run, scheme=code_identity.SCHEME - 1)
    with pytest.raises(StaleRun, match=r"seed=0 \(code of an older scheme\).*sweep.stale=keep"):
        actions(planner("seed"), SEEDS[:1])
    assert list(actions(planner("seed"), SEEDS[:1], "keep").values()) == ["reuse"]


def test_keep_takes_finished_runs_only(planner: Callable[..., Planner]) -> None:
    """What other code has left half done cannot be gone on with."""
    for run, state in zip(planner("seed").plan(SEEDS[:3]),
                          ["finished", "failed", "interrupted"], strict=True):  # fmt: skip
        train(run, state, code="0" * 64)
    found = actions(planner("seed"), SEEDS[:3], "keep")
    assert list(found.values()) == ["reuse", "rerun", "rerun"]


@pytest.mark.parametrize("file", ["run.json", "result.json"])
@pytest.mark.parametrize("text", ['{"half', "[]", "{}", ""])
def test_a_damaged_folder_is_refused_by_name_and_run_anew_when_asked(
    planner: Callable[..., Planner], file: str, text: str
) -> None:
    (run,) = planner("seed").plan(SEEDS[:1])
    train(run)
    (run.folder.path / file).write_text(text)
    with pytest.raises(StaleRun, match=r"seed=0 .*is damaged"):
        actions(planner("seed"), SEEDS[:1])
    assert actions(planner("seed"), SEEDS[:1], "rerun") == {"seed=0": "rerun"}
    assert actions(planner("seed"), SEEDS[:1], "keep") == {"seed=0": "rerun"}


def test_two_runs_never_share_a_folder(planner: Callable[..., Planner]) -> None:
    """`seed=0` stood for 64 units in the first command, and would stand for 32 in the second."""
    train(planner("seed").plan([("seed=0",)])[0])
    again = planner("seed")
    jobs: list[Job] = [("seed=0", "model.hidden=32"), ("seed=0", "model.hidden=64")]
    runs = again.decide(again.plan(jobs), "error")
    assert [run.action for run in runs] == ["run", "reuse"]
    assert runs[1].name == "seed=0"
    assert runs[0].name.startswith("seed=0-")
    again = planner("seed")
    assert [r.name for r in again.decide(again.plan(jobs), "error")] == [r.name for r in runs]


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("model=gru", "seed=1", "data=mnist"), "model=gru,seed=1"),
        (("data=mnist",), "run"),
        (("seed='it''s [a] {b}'",), "seed='it''s [a] {b}'"),
        (("model=漢字",), "model=漢字"),
    ],
)
def test_a_folder_is_named_after_the_swept_overrides(words: Job, name: str) -> None:
    assert run_name(words, ["model", "seed"]) == name


@pytest.mark.parametrize(
    "value", ["a/b", "../b", "a\\b", "a\nb", "${x}", "x" * 400, "漢" * 200, "\ud800"]
)
def test_a_name_that_is_no_folder_name_is_changed_and_stays_unique(value: str) -> None:
    names = {run_name((f"seed={text}",), ["seed"]) for text in (value, f"{value}c", "a_b")}
    assert len(names) == 3
    for name in names:
        assert len(name.encode()) <= MAX_NAME
        assert not set("/\\\n\x00") & set(name)
        assert "${" not in name


def baselines(planner: Planner, composer: Composer, jobs: list[Job]) -> dict[str, str]:
    found = missing_baselines(
        planner.plan(jobs),
        defaults=plain(parse(composer.values([]))),
        swept=planner.swept,
        plan=lambda job, keys: planner.planned(job, is_baseline=True, also_named=keys),
    )
    assert all(run.is_baseline for run in found)
    return {run.name: " ".join(run.overrides) for run in found}


@pytest.mark.parametrize(
    ("swept", "jobs", "expected"),
    [
        (["seed"], ["seed=0", "seed=1"], {}),
        (["model.hidden"], ["model.hidden=32", "model.hidden=64"], {}),
        (
            ["model.hidden"],
            ["model.hidden=32", "model.hidden=16"],
            {"model.hidden=64": "model.hidden=64"},
        ),
        (
            ["model.hidden", "seed"],
            ["model.hidden=32 seed=1", "model.hidden=64 seed=0", "model.hidden=16 seed=0"],
            {"model.hidden=64,seed=1": "model.hidden=64 seed=1"},
        ),
        (
            ["model.hidden"],
            ["++model.hidden=32", "++model.hidden=16"],
            {"model.hidden=64": "model.hidden=64"},
        ),
        (["model.hidden"], ["++model.hidden=64", "model.hidden=16"], {}),
        (["model"], ["model=lstm", "model=gru"], {}),
        (["model"], ["model=gru", "model=rnn"], {"model=lstm": "model=lstm"}),
        (
            ["seed"],
            ["model=gru seed=0", "model=gru seed=1"],
            {"model=lstm,seed=0": "model=lstm seed=0", "model=lstm,seed=1": "model=lstm seed=1"},
        ),
        (
            ["model", "model.hidden"],
            ["model=gru model.hidden=8", "model=lstm model.hidden=16"],
            {"model=lstm,model.hidden=8": "model=lstm model.hidden=8"},
        ),
        (
            ["model.nonlinearity"],
            ["model=rnn model.nonlinearity=tanh", "model=rnn model.nonlinearity=relu"],
            {"model=lstm": "model=lstm"},
        ),
        (
            ["optimizer", "optimizer.lr"],
            ["optimizer=sgd optimizer.lr=0.1"],
            {"optimizer=adam,optimizer.lr=0.01": "optimizer=adam optimizer.lr=0.01"},
        ),
        (
            ["training.clip_norm"],
            ["training.clip_norm=1.0", "training.clip_norm=5.0"],
            {"training.clip_norm=inf": "training.clip_norm=inf"},
        ),
        (
            ["data", "model"],  # on each task one, and none where the task has it
            ["data=adding model=gru", "data=parity model=gru", "data=parity model=lstm"],
            {"data=adding,model=lstm": "data=adding model=lstm"},
        ),
        (
            ["experiment", "optimizer.lr"],
            ["experiment=adding optimizer.lr=0.1", "experiment=adding optimizer.lr=0.2"],
            {"experiment=adding,optimizer.lr=0.01": "experiment=adding optimizer.lr=0.01"},
        ),
        (  # of runs that start from another one's weights, the same that starts anew
            ["seed"],
            ["model=gru training.init_from=a +training.init_source=b training.freeze=[b] seed=0"],
            {"seed=0": "model=gru seed=0"},
        ),
        (
            ["training.init_from", "seed"],
            [
                "training.init_from=a +training.init_source=b training.freeze=[rnn.*] seed=0",
                "training.init_from=c +training.init_source=d training.freeze=[rnn.*] seed=0",
            ],
            {"seed=0": "seed=0"},
        ),
    ],
)
def test_the_baseline_runs_that_a_comparison_would_miss(
    planner: Callable[..., Planner],
    composer: Composer,
    swept: list[str],
    jobs: list[str],
    expected: dict[str, str],
) -> None:
    """A sweep without its baseline answers no question, and nobody notices before it is over."""
    found = baselines(planner(*swept), composer, [tuple(job.split()) for job in jobs])
    assert found == expected


@pytest.mark.slow
def test_300_runs_and_their_baselines_are_planned_with_one_composition_a_choice(
    planner: Callable[..., Planner], composer: Composer
) -> None:
    """Finding baselines must not compare every run with every other one."""
    jobs: list[Job] = [
        (f"model={model}", f"optimizer.lr={lr / 1000}")
        for model in ("gru", "rnn")
        for lr in range(1, 151)
    ]
    assert len(baselines(planner("model", "optimizer.lr"), composer, jobs)) == 150
