"""Composing few times gives what Hydra gives, composing every time."""

import functools
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import ConfigCompositionException
from hydra.types import RunMode
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from mnist_seq.config import ConfigError
from mnist_seq.config.paths import conf_dir
from mnist_seq.sweep.plan.compose import Composer
from tests.conftest import some


@pytest.fixture(scope="module")
def loader() -> Iterator[ConfigLoader]:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        yield GlobalHydra.instance().config_loader()


def master(loader: ConfigLoader, *words: str) -> DictConfig:
    return loader.load_configuration("train", list(words), RunMode.MULTIRUN)


masters = functools.cache(master)  # one of a loader: it takes a tenth of a second


SAME = [
    [],
    ["model=gru"],
    ["model.hidden=32"],
    ["model.hidden=32", "model=gru"],
    ["model.hidden=32", "model.hidden=16"],
    ["optimizer=sgd", "optimizer.lr=0.1", "optimizer.nesterov=true", "optimizer.momentum=0.9"],
    ["optimizer.betas=[0.8,0.9]"],
    ["optimizer.lr=1e-3"],
    ["training.clip_norm=inf"],
    ["training.eval_every=50"],
    ["data.limit=all"],
    ["data.root='a b,c=[d]'"],
    ["data.root=${oc.env:HOME}/x"],
    ["seed=${model.hidden}"],
    ["model.hidden=${seed}", "seed=3"],
    ["experiment=article"],
    ["experiment=article", "model.hidden=7"],
    ["model.hidden=7", "experiment=article", "optimizer=sgd"],
    ["data=mnist_5k", "data.valid=3"],
    ["schedule=cosine", "schedule.final=0.1"],
    ["++model.hidden=5"],
    ["model.hidden=8", "++model.hidden=16"],
    ["++model.hidden=16", "model.hidden=8"],
    ["+model.extra=1"],
    ["+model.extra=1", "model.hidden=9"],
    ["model.hidden=9", "~model.hidden"],
    ["~schedule.warmup"],
    ["schedule@schedule=cosine"],
    ["tracker.name=x", "tracker=none"],
    ["tracker=none"],
    ["sweep.retries=2", "hydra.job.chdir=true"],
    ["training={epochs: 3}"],
    ["sweep.zip=[a,b]"],
    ["arm=null"],
    ["arm=???"],
    ["arm='12'", "seed=12"],
    ["arm='${seed}'", "seed=4"],
    [r"arm='a \\${seed}'", "seed=4"],
    ["arm=true", "training.clip_norm=nan", "optimizer.lr=-0.0"],
    ["optimizer.betas=[1,'2',null,[3]]"],
    ["optimizer.betas=7"],
    ["model.hidden=[1,2]"],
    ["model.hidden=8", "training={epochs: 3}", "training.epochs=5"],
    ["optimizer.betas.0=0.5"],
]


def outcome(call: Any) -> Any:
    """What a composition gives, or how it is refused."""
    try:
        return call()
    except ConfigCompositionException as error:
        return str(error).splitlines()[0]
    except OmegaConfBaseException as error:
        return type(error).__name__


def check_equals_hydras(
    loader: ConfigLoader, cfg: DictConfig, words: list[str], *, with_message: bool = True
) -> None:
    def by_hydra() -> Any:
        config = loader.load_sweep_config(cfg, words)
        with open_dict(config):
            del config["hydra"]
        return OmegaConf.to_container(config, resolve=True)

    expected, got = outcome(by_hydra), outcome(lambda: Composer(loader, cfg).values(words))
    if isinstance(expected, dict):
        del expected["sweep"]["name"], got["sweep"]["name"]  # the time of day
    if not with_message and isinstance(expected, str) and isinstance(got, str):
        return  # both are refusals
    assert repr(got) == repr(expected), "1, 1.0, true and '1' are four values"


@pytest.mark.parametrize("words", some(SAME, 15), ids=" ".join)
def test_a_composed_config_equals_hydras(loader: ConfigLoader, words: list[str]) -> None:
    check_equals_hydras(loader, master(loader), words)


KEYS = ["seed", "arm", "model.hidden", "model.dropout", "optimizer.lr", "optimizer.betas",
        "training.clip_norm", "training.eval_every", "data.limit", "sweep.exclude"]  # fmt: skip
VALUES = ["0", "-3", "1_000", "1e-3", "-0.50", "inf", "nan", "null", "true", "False", "a b", "'x'",
          "'1'", "''", "[1,2.5,x]", "[]", "{a:1}", "${seed}", "'${model.hidden}'", "${oc.env:HOME}",
          "${now:%Y}", "${oc.decode:'[1,2]'}", "k/l-m", "'漢'"]  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(VALUES)), max_size=4))
@settings(max_examples=15)
@pytest.mark.slow
def test_drawn_values_are_composed_as_hydra_composes_them(
    loader: ConfigLoader, pairs: list[tuple[str, str]]
) -> None:
    """Whatever is set without OmegaConf must be what OmegaConf would have set."""
    words = [f"{key}={value}" for key, value in pairs]
    check_equals_hydras(loader, masters(loader), words, with_message=False)


@pytest.mark.parametrize("word", ["model.hiden=1", "modle=lstm", "model.hidden.x=1"])
def test_what_hydra_refuses_is_refused(loader: ConfigLoader, word: str) -> None:
    with pytest.raises(
        ConfigCompositionException, match=f"Could not override '{word.split('=')[0]}'"
    ):
        Composer(loader, master(loader)).values([word])


def test_a_jobs_config_equals_the_one_that_hydra_hands_to_a_job(loader: ConfigLoader) -> None:
    """The whole of it, Hydra's own node too, so that `.hydra/` and `${hydra:...}` say the truth."""
    words = ["model=gru", "model.hidden=32", "seed=4"]
    cfg = master(loader, "hydra.job.chdir=false")
    expected = loader.load_sweep_config(cfg, [*words, "sweep.name=s"])
    with open_dict(expected):
        expected.hydra.job.id = expected.hydra.job.num = 7
        expected.hydra.sweep.subdir = expected.hydra.job.override_dirname = "a name"
    got = Composer(loader, cfg).whole([*words, "sweep.name=s"], name="a name", index=7)
    got = pickle.loads(pickle.dumps(got))
    assert OmegaConf.to_container(got) == OmegaConf.to_container(expected)


def test_one_config_does_not_change_another(loader: ConfigLoader) -> None:
    composer = Composer(loader, master(loader))
    before = composer.values([])
    assert composer.values(["model.hidden=3", "optimizer.betas=[0.1,0.2]"]) != before
    composer.whole(["model.hidden=4"], name="x", index=0)
    assert composer.values([]) == before


def test_300_runs_take_few_compositions(loader: ConfigLoader) -> None:
    """Hydra composes a config in a tenth of a second: 300 runs would take half a minute."""
    calls = []

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(loader, name)

        def load_sweep_config(self, cfg: DictConfig, words: list[str]) -> DictConfig:
            calls.append(words)
            return loader.load_sweep_config(cfg, words)

    counting: Any = Counting()
    composer = Composer(counting, master(loader))
    for model in ("lstm", "gru", "rnn"):
        for hidden in (16, 32):
            for seed in range(50):
                composer.values([f"model={model}", f"model.hidden={hidden}", f"seed={seed}"])
    assert len(calls) == 3, "one a group choice"


def test_two_nameless_sweeps_of_one_second_have_two_names(loader: ConfigLoader) -> None:
    one, two = master(loader), master(loader)
    assert one.sweep.name != two.sweep.name
    assert one.hydra.sweep.dir == f"outputs/sweeps/{one.sweep.name}", "and one sweep has one"


@pytest.mark.parametrize(
    ("yaml", "key"),
    some([
        ("defaults: [override /hydra/sweeper: optuna]", "hydra/sweeper"),
        ("defaults: [override /hydra/launcher: stack]", "hydra/launcher"),
        ("hydra: {launcher: {workers: 1}}", "hydra.launcher.workers"),
        ("hydra: {sweeper: {params: {seed: 3}}}", "hydra.sweeper.params.seed"),
        ("hydra: {sweep: {dir: there}}", "hydra.sweep.dir"),
        ("sweep: {retries: 3}", "sweep.retries"),
    ], 2),
)  # fmt: skip
def test_a_swept_option_that_wants_another_launch_is_refused(
    loader: ConfigLoader, tmp_path: Path, yaml: str, key: str
) -> None:
    """A sweep reads these keys once; those of the option were ignored without a word."""
    (tmp_path / "experiment").mkdir()
    text = f"# @package _global_\n{yaml}\n"
    (tmp_path / "experiment" / "own.yaml").write_text(text, encoding="utf-8")
    typed = [f"hydra.searchpath=[file://{tmp_path}]"]
    swept = Composer(loader, master(loader, *typed))
    swept.check_launch(["experiment=rows"])
    with pytest.raises(ConfigError, match=f"has one {key} for all.*, and experiment=own gives it"):
        swept.check_launch(["experiment=own"])
    Composer(loader, master(loader, *typed, "experiment=own")).check_launch(["experiment=own"])
    if not yaml.startswith("defaults"):
        value = "x" if key.endswith("dir") else "7"
        named = Composer(loader, master(loader, *typed, f"++{key}={value}"))
        named.check_launch(["experiment=own"])
