"""A run that starts from another run's weights, and weights that are not trained."""

import copy
import fnmatch
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from mnist_seq import compose, load_run, train_run
from mnist_seq.config import ConfigError, identity, plain
from mnist_seq.report.sections.origins import _facts
from mnist_seq.runs.errors import StaleRun
from mnist_seq.runs.folder import RunFolder
from mnist_seq.runs.variants import BaselineRule, Flat, flat
from mnist_seq.trained.run import LoadedRun
from mnist_seq.training.batched.stack import Stack
from mnist_seq.training.loop.program import Single
from mnist_seq.training.loop.start import freeze
from mnist_seq.training.preflight.check import check_run
from mnist_seq.training.preflight.origin import with_origin, with_recorded
from tests.conftest import some
from tests.training.learners import advance, make_learner

WORDS = ("data=mnist_5k", "tracker=none", "model=gru", "model.hidden=6", "data.limit=200",
         "data.valid=100", "device=cpu")  # fmt: skip
STEPS = 4  # of an epoch of 200 images


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> LoadedRun:
    return train_run(compose(*WORDS, "seed=5"), tmp_path_factory.mktemp("source") / "first")


def weights(run: LoadedRun, file: str = "model.pt") -> dict[str, Any]:
    found: dict[str, Any] = torch.load(run.folder / file, weights_only=True)
    return found


def same(a: dict[str, Any], b: dict[str, Any]) -> set[str]:
    """Names of weights that are equal in every bit."""
    return {name for name in a if torch.equal(a[name], b[name])}


def test_a_run_starts_from_the_weights_of_another(source: LoadedRun, tmp_path: Path) -> None:
    """At a learning rate of almost 0 they are what it ends with; the record says whose they are."""
    still = ("optimizer=sgd", "optimizer.lr=1e-30", f"training.init_from={source.folder}")
    run = train_run(compose(*WORDS, *still), tmp_path / "a")
    assert same(weights(run), weights(source)) == set(weights(source))
    origin = json.loads((run.folder / "run.json").read_text())["origin"]
    assert (origin["data"], origin["model"], origin["seed"]) == ("mnist_5k", "gru", 5)
    assert origin["metrics"]["test/accuracy"] == source.metrics["test/accuracy"]
    assert str(source.folder.parent) not in json.dumps(origin), "not where it lay"
    assert _facts(run.run)["starts from"] == (
        f"weights of model=gru, data=mnist_5k, seed 5 ({origin['source']})"
    )
    head = train_run(compose(*WORDS, *still, "training.init_head=new", "seed=1"), tmp_path / "b")
    fresh = train_run(compose(*WORDS, *still[:2], "seed=1"), tmp_path / "c")
    rnn = {name for name in weights(run) if name.startswith("rnn.")}
    assert same(weights(head), weights(source)) == rnn
    assert same(weights(head), weights(fresh)) == set(weights(run)) - rnn


def test_a_resume_reads_the_source_never_again(
    source: LoadedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From its own checkpoint it ends with the same bits, though the source is gone."""
    copied = tmp_path / "source"
    shutil.copytree(source.folder, copied)
    config = compose(*WORDS, f"training.init_from={copied}", "training.freeze=[rnn.weight_*]",
                     "training.checkpoint_every=2", "optimizer.weight_decay=0.1")  # fmt: skip
    run = train_run(config, tmp_path / "run")
    wanted = weights(run)
    assert same(wanted, weights(source)) == {"rnn.weight_ih_l0", "rnn.weight_hh_l0"}
    shutil.rmtree(copied)
    for name in ("result.json", "model.pt"):
        (run.folder / name).unlink()
    again = train_run(config, tmp_path / "run")
    assert same(weights(again), wanted) == set(wanted)
    with pytest.raises(ConfigError, match=r"there is no .*source; write training\.init_from"):
        train_run(config, tmp_path / "other")


def test_the_identity_holds_what_the_source_was_and_not_where(
    source: LoadedRun, tmp_path: Path
) -> None:
    other = tmp_path / "elsewhere"
    shutil.copytree(source.folder, other)
    config = compose(*WORDS, f"training.init_from={source.folder}")
    here = with_origin(config)
    there = with_origin(compose(*WORDS, f"training.init_from={other}"))
    assert identity(here) == identity(there) != identity(compose(*WORDS))
    changed = weights(source)
    changed["head.bias"] += 1
    torch.save(changed, other / "model.pt")
    assert identity(with_origin(there)) != identity(here)
    with pytest.raises(ConfigError, match="has changed since this run was planned"):
        check_run(there)


def test_the_optimizer_goes_on_too(source: LoadedRun, tmp_path: Path) -> None:
    """Adam counts the steps of both, also after a resume."""
    config = compose(*WORDS, f"training.init_from={source.folder}", "training.init_optimizer=true")
    run = train_run(config, tmp_path)
    saved = torch.load(run.folder / "checkpoint.pt", weights_only=True)
    assert float(saved["optimizer"]["state"][0]["step"]) == 2 * STEPS
    wanted = weights(run)
    (run.folder / "result.json").unlink()
    assert same(weights(train_run(config, tmp_path)), wanted) == set(wanted)


@pytest.mark.parametrize(("words", "says"), [
    (("model=lstm",), r"is \[18, 28\] there and \[24, 28\] here; choose the model"),
    (("data.sequence=pixels",), r"\[18, 28\] there and \[18, 1\] here; choose the model"),
    (("data=parity",), r"must hold the weights of this net: rnn.weight_ih_l0"),
    (("optimizer=sgd", "training.init_optimizer=true"), "needs the optimizer of the source"),
    (("training.freeze=[rn.*]",), "rn.* is none; they are rnn.weight_ih_l0"),
    (("training.freeze=['*']",), "must leave something to train"),
    (("model.bias=one",), "bias_hh_l0 is trained there, .* here; choose model.bias=two"),
])  # fmt: skip
def test_what_does_not_fit_is_refused_before_anything_is_written(
    source: LoadedRun, words: tuple[str, ...], says: str
) -> None:
    kept = [w for w in WORDS if not (words[0] == "data=parity" and w.startswith("data"))]
    config = with_origin(compose(*kept, f"training.init_from={source.folder}", *words))
    with pytest.raises(ConfigError, match=says) as error:
        check_run(config)
    assert "\n" not in str(error.value)


def test_a_source_that_holds_more_is_refused_with_the_way_out(
    source: LoadedRun, tmp_path: Path
) -> None:
    shutil.copytree(source.folder, tmp_path / "more")
    torch.save(weights(source) | {"norm.weight": torch.ones(6)}, tmp_path / "more" / "model.pt")
    with pytest.raises(ConfigError, match=r"norm\.weight'; choose the model and"):
        check_run(with_origin(compose(*WORDS, f"training.init_from={tmp_path / 'more'}")))


@pytest.mark.parametrize(("words", "says"), [
    (("training.init_head=new",), "write training.init_from="),
    (("training.init_optimizer=true",), "write training.init_from="),
    (("training.init_from=a", "training.init_optimizer=true", "training.freeze=[rnn.*]"),
     "takes the state of all weights"),
])  # fmt: skip
def test_keys_that_say_nothing_are_refused(words: tuple[str, ...], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        compose(*WORDS, *words)


def test_a_sweep_goes_on_where_the_folder_of_its_source_is_gone(tmp_path: Path) -> None:
    """By what its own runs have recorded of that folder, and of no other one."""
    sources = {"/gone/a": "aa-1", "/gone/b": "bb-2"}
    runs = []
    for name, source in sources.items():
        runs.append(RunFolder(tmp_path / source))
        runs[-1].path.mkdir()
        words = (f"training.init_from={name}", f"+training.init_source={source}")
        config = compose(*WORDS, *words)
        runs[-1].update_record(config=plain(config), config_hash=identity(config), data={})
    for name, source in sources.items():
        found = with_recorded(compose(*WORDS, f"training.init_from={name}"), runs)
        assert with_origin(found).training.init_source == source
    other = compose(*WORDS, "training.init_from=/gone/moved")
    assert with_recorded(other, runs) == other, "nobody can say which it was"
    with pytest.raises(
        ConfigError, match=r"to go on with this sweep's runs, \+training.init_source=aa-1"
    ):
        with_recorded(other, runs[:1])


def test_a_run_that_starts_from_another_is_compared_with_one_that_starts_anew() -> None:
    def variant(*words: str) -> Flat:
        return flat(plain(compose(*WORDS, *words)))

    words = ("training.init_from=a", "+training.init_source=bb-2", "training.freeze=[rnn.*]")
    gru, lstm = variant(*words), variant("model=lstm", *words)
    rule = BaselineRule([gru, variant()], defaults=variant())
    assert rule.find(gru) == rule.find(variant()) == variant()
    assert BaselineRule([gru], defaults=variant()).find(gru) is None
    assert BaselineRule([gru, lstm, variant()], defaults=variant()).find(gru) == lstm


def test_weights_of_a_run_that_diverged_are_refused(source: LoadedRun, tmp_path: Path) -> None:
    """They were read as class 0, and trained on until the new run diverged too."""
    shutil.copytree(source.folder, copied := tmp_path / "source")
    spoilt = weights(source)
    spoilt["rnn.bias_ih_l0"][1] = float("nan")
    torch.save(spoilt, copied / "model.pt")
    config = with_origin(compose(*WORDS, f"training.init_from={copied}"))
    with pytest.raises(ConfigError, match=r"are numbers: rnn.bias_ih_l0 has NaN"):
        check_run(config)
    run = load_run(copied)
    for use in (lambda: run.predict(torch.zeros(28, 28)), run.export):
        with pytest.raises(ValueError, match="holds weights that are NaN or infinite"):
            use()


def test_a_run_that_is_no_source_is_refused_by_what_it_lacks(tmp_path: Path) -> None:
    config = compose(*WORDS, f"training.init_from={tmp_path}")
    with pytest.raises(ConfigError, match=r"has no run.json, so it is no run's folder"):
        with_origin(config)


def test_more_epochs_of_a_finished_run_are_offered_as_a_command(
    source: LoadedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["x", "model=gru", "training.epochs=3", "hydra.run.dir=first"])
    monkeypatch.chdir(source.folder.parent)
    with pytest.raises(StaleRun) as error:
        train_run(compose(*WORDS, "seed=5", "training.epochs=3"), source.folder)
    assert (
        "training.epochs (1, now 3) differ; to train its weights on: python -m mnist_seq.train "
        "model=gru training.epochs=2 training.init_from=first hydra.run.dir=first-on; or choose "
        "another folder"
    ) in str(error.value)
    with pytest.raises(StaleRun) as error:
        train_run(compose(*WORDS, "seed=5", "training.epochs=3", "model.hidden=7"), source.folder)
    assert "to train" not in str(error.value)


@pytest.fixture
def float64() -> Iterator[None]:
    """In float32, rounding alone would move the runs apart."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.mark.parametrize(("optimizer", "frozen"), some([
    ("adam", "rnn.*"), ("sgd", "head.*"), ("adamw", "rnn.*"), ("adam", "head.*"),
    ("sgd", "rnn.*"), ("rmsprop", "rnn.weight_*"),
], 2))  # fmt: skip
def test_frozen_weights_stay_alone_and_in_a_stack(
    float64: None, optimizer: str, frozen: str
) -> None:
    """No update and no decay, clipping by the others alone, and the state of the one can go on."""
    words = (f"optimizer={optimizer}", "optimizer.lr=0.01", "optimizer.weight_decay=0.3",
             "training.clip_norm=0.1", "model=gru")  # fmt: skip
    alone, together = ([make_learner(*words, f"seed={seed}") for seed in (0, 1)] for _ in "ab")
    for learner in (*alone, *together):
        freeze(learner.model, [frozen])
    begun = [copy.deepcopy(learner.model.state_dict()) for learner in alone]
    configs = [learner.config for learner in alone]
    singles = [Single(learner, None) for learner in alone]
    stack = Stack(together, [None, None])
    for k, single in enumerate(singles):
        advance(single, [configs[k]], range(6))
    advance(stack, configs, range(6))
    resumed = [make_learner(*words, f"seed={seed}") for seed in (0, 1)]
    for learner, before in zip(resumed, alone, strict=True):
        freeze(learner.model, [frozen])
        learner.model.load_state_dict(before.model.state_dict())
    on = Stack(resumed, [single.optimizer_state(0) for single in singles])
    for program, steps in ((on, range(6, 9)), (stack, range(6, 9))):
        advance(program, configs, steps)
    for k in (0, 1):
        own = stack.optimizer_state(k)
        assert len(own["state"]) == len(singles[k].optimizer_state(0)["state"])
        for name, first in begun[k].items():
            stacked, went_on = (of[k].model.state_dict()[name] for of in (together, resumed))
            torch.testing.assert_close(stacked, went_on, rtol=1e-9, atol=1e-9)
            is_frozen = fnmatch.fnmatch(name, frozen)
            assert torch.equal(stacked, first) == is_frozen
            assert torch.equal(alone[k].model.state_dict()[name], first) == is_frozen
