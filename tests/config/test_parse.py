"""Checks of a config: a wrong value costs a second here, and an hour anywhere else."""

import shlex
from collections.abc import Callable
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from mnist_seq.config import ConfigError, conf_dir, identity, parse, plain
from mnist_seq.config.parse import check_words
from mnist_seq.config.paths import groups, options

Compose = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def composed() -> Any:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):

        def run(*overrides: str) -> Any:
            return OmegaConf.to_container(compose("train", list(overrides)), resolve=True)

        yield run


def test_the_defaults_are_the_baseline(composed: Compose) -> None:
    """All is compared with it: LSTM, 64 hidden units, Adam 0.01, batch 64, one epoch, rows."""
    config = parse(composed())
    assert (config.model.name, config.model.hidden, config.model.layers) == ("lstm", 64, 1)
    assert (config.optimizer.name, config.optimizer.lr) == ("adam", 0.01)
    assert (config.training.batch_size, config.training.epochs) == (64, 1)
    assert (config.data.name, config.data.sequence) == ("mnist", "rows")
    assert config.device.threads == 1


# a study is no run: test_arms; diagnostics is added with a +
RUN_GROUPS = [group for group in groups() if group not in ("ablation", "diagnostics")]
ALL_OPTIONS = [(group, name) for group in RUN_GROUPS for name in options(group)]


@pytest.mark.parametrize(("group", "name"), ALL_OPTIONS)
def test_every_yaml_of_every_group_composes_and_parses(
    composed: Compose, group: str, name: str
) -> None:
    """A YAML is tested the moment it exists."""
    config = parse(composed(f"{group}={name}"))
    if group != "experiment":
        assert getattr(config, group).name == name


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("model.hidden=0", "model.hidden must be 1 or more: model.hidden=0"),
        ("model.hidden=64.5", "model.hidden must be a whole number: model.hidden=64.5"),
        ("training.checkpoint_every=0min", "must be steps, 1 or more, or minutes, such as 10min: "),
        ("training.checkpoint_every=0", "training.checkpoint_every must be steps, 1 or more, or"),
        ("training.checkpoint_every=true", "training.checkpoint_every must be steps, 1 or more"),
        ("model.hidden=true", "model.hidden must be a whole number: model.hidden=true"),
        ("optimizer.lr=-1", "optimizer.lr must be more than 0: optimizer.lr=-1"),
        ("optimizer.lr=fast", "optimizer.lr must be a number: optimizer.lr=fast"),
        ("optimizer.lr=nan", "optimizer.lr must be finite: optimizer.lr=nan"),
        ("model.readout=first", "must be last, last_step, mean or flat: model.readout=first"),
        ("device.precision=fp16", "fp32, tf32 or bf16 (on a GPU choose tf32, whose products"),
        ("device.precision=fp8", "device.precision must be fp32, tf32 or bf16: device.precision"),
        ("model.hidden=[8,4]", "are model.layers=2 model.below=[8] model.hidden=4: model.hidden=["),
        ("model.head=5", "model.head must be a list of sizes, such as [32], or []: model.head=5"),
        ("model.head=[4,0]", "model.head.1 must be 1 or more"),
        ("training.eval_every=0", "training.eval_every must be epoch, or 1 or more"),
        ("training.clip_norm=0", "training.clip_norm must be more than 0"),
        ("training.tbptt=0", "training.tbptt must be none, or 1 or more: training.tbptt=0"),
        ("optimizer.betas=[0.9]", "optimizer.betas must be a list of 2 entries or more"),
        ("model.name=lsmt", "model.name=lsmt; did you mean model.name=lstm?; a YAML of your own"),
        ("model.forget_bias=high", "model.forget_bias must be default or chrono, or a number"),
        ("model.zoneout_cell=1", "model.zoneout_cell must be less than 1"),
        ("model.init=zero", "model.init must be default, orthogonal or identity: model.init=zero"),
        ("model.match=64", "model.match must be text"),
        ("model.params=0", "model.params must be any, or 1 or more"),
        ("+model.hiden=64", "no code reads model.hiden: model.hiden=64; did you mean model.hidden"),
        ("+foo=1", "no code reads foo: foo=1"),
        ("seed=-1", "seed must be 0 or more: seed=-1"),
        ("arm=" + "a" * 201, "arm must be 200 characters or shorter"),
    ],
)  # fmt: skip
def test_an_impossible_value_is_refused_by_key_value_and_rule(
    composed: Compose, override: str, says: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(composed(override))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_odd_number_of_states_is_refused_as_all_else_is(composed: Compose) -> None:
    with pytest.raises(ConfigError, match=r"^model.states must be a multiple of 2: model.states=7"):
        parse(composed("model=s4d", "model.states=7"))


def test_choosing_by_validation_without_a_validation_set_is_refused(composed: Compose) -> None:
    for override in ("training.early_stop=3", "training.evaluate=best", "training.best=valid/loss",
                     "training.min_delta=0.1"):  # fmt: skip
        with pytest.raises(ConfigError, match="chooses by validation"):
            parse(composed("data.valid=0", override))


def test_a_gradient_is_clipped_in_one_way(composed: Compose) -> None:
    with pytest.raises(ConfigError, match=r"clip_norm=1\.0 training\.clip_value=0\.5; give one"):
        parse(composed("training.clip_norm=1", "training.clip_value=0.5"))


def test_nesterov_needs_a_momentum(composed: Compose) -> None:
    """torch's own words for it name no key of ours."""
    with pytest.raises(ConfigError, match=r"optimizer\.nesterov=true needs a momentum"):
        parse(composed("optimizer=sgd", "optimizer.nesterov=true", "optimizer.momentum=0"))


def test_a_state_that_is_handed_on_has_one_direction(composed: Compose) -> None:
    """The backward direction begins where the last chunk ends."""
    with pytest.raises(ConfigError, match=r"training\.tbptt=7 model\.bidirectional=true; choose"):
        parse(composed("training.tbptt=7", "model.bidirectional=true"))
    assert parse(composed("training.tbptt=7")).training.tbptt == 7


def test_identity_ignores_where_and_who_and_keeps_what(composed: Compose) -> None:
    """A moved data folder is the same run; another learning rate is not."""
    same = identity(parse(composed()))
    for override in ("data.root=elsewhere", "tracker=none", "sweep.name=x", "optimizer.lr=1e-2",
                     "training.checkpoint_every=50", "training.checkpoint_every=10min",
                     "optimizer.weight_decay=-0.0"):  # fmt: skip
        assert identity(parse(composed(override))) == same
    for override in ("seed=1", "model.hidden=32", "data.valid=4000", "training.clip_norm=1"):
        assert identity(parse(composed(override))) != same


def test_a_whole_number_where_a_fraction_may_stand_is_the_same_config(composed: Compose) -> None:
    """`optimizer.lr=1` and `1.0` name one run, not two."""
    ones = [identity(parse(composed(f"optimizer.lr={one}"))) for one in ("1", "1.0")]
    assert ones[0] == ones[1]


def test_plain_values_survive_json(composed: Compose) -> None:
    """run.json holds the config; infinity must come back as itself."""
    import json

    config = parse(composed())
    values = json.loads(json.dumps(plain(config), allow_nan=False))
    assert float(values["training"]["clip_norm"]) == float("inf")


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["model.cifg=true", "model.input_gate=false"], "model.cifg=true couples two gates"),
        (["model.cifg=true", "model.full_gate_recurrence=true"], "joins three gates"),
        (["model.forget_gate=false", "model.forget_bias=1"], "leaves no forget bias to set"),
        (["model.input_gate=false", "model.forget_gate=false", "model.output_gate=false",
          "model.peepholes=true"], "model.peepholes=true needs a gate to look"),
        (["model.match=lstm-64", "model.params=24714"], "give one"),
        (["ablation=cells"], "add -m before ablation=..."),
    ],
)  # fmt: skip
def test_options_that_do_not_go_together_are_refused(
    composed: Compose, overrides: list[str], says: str
) -> None:
    """Each is a sensible value by itself; together they would silently be another model."""
    with pytest.raises(ConfigError) as caught:
        parse(composed(*overrides))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_updates_and_epochs_are_not_both_given() -> None:
    """One of them would have no effect."""
    with pytest.raises(ConfigError, match="both say how long to train"):
        check_words(["training.epochs=2", "training.updates=9"])
    check_words(["training.epochs=2", "training.updates=none"])


def test_an_arms_name_is_a_label(composed: Compose) -> None:
    """Two arms of one config are one run."""
    assert identity(parse(composed("arm=NIG"))) == identity(parse(composed()))


def test_diagnostics_can_be_added_by_their_short_name(composed: Compose) -> None:
    """`+diagnostics=gradients` is `training.diagnostics=gradients`."""
    for name in ("gradients", "norms"):
        assert parse(composed(f"+diagnostics={name}")).training.diagnostics == name


@pytest.mark.parametrize("text", [".inf", "Infinity", ".INF"])
def test_infinity_is_taken_as_yaml_and_json_write_it(composed: Compose, text: str) -> None:
    config = parse(composed(f"training.clip_norm='{text}'"))
    assert config.training == parse(composed("training.clip_norm=inf")).training
    assert parse(composed(f"arm='{text}'")).arm == text, "where text is meant, it is text"


def test_what_a_run_records_composes_to_the_same_run(composed: Compose) -> None:
    """`-cp <run>/.hydra -cn config` runs the same run again."""
    config = parse(composed("training.clip_norm=inf", "model=gru", "optimizer=sgd"))
    again = parse(plain(config))
    assert again == config
    assert identity(again) == identity(config)


def test_a_number_of_the_environment_is_answered_with_oc_decode(
    composed: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HID", "8")
    with pytest.raises(ConfigError, match=r"for \$\{oc.env:X\} write") as refused:
        parse(composed("model.hidden=${oc.env:HID}"))
    (word,) = shlex.split(str(refused.value).rpartition(", ")[2])
    assert parse(composed(word.replace("X", "HID"))).model.hidden == 8, "as a shell reads it"
