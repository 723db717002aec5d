"""Errors of Hydra in one line each."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from mnist_seq.config.hydra_errors import one_line
from mnist_seq.config.messages import no_option
from mnist_seq.config.paths import options

FILES = {
    "main": b"defaults: [{model: a}, _self_]\nhydra: {sweeper: {params: {}}}\n",
    "model/a": b"hidden: 1\n",
    "model/latin": "name: caf\u00e9".encode("latin-1"),
    "model/scalar": b"3\n",
}


@pytest.mark.parametrize(
    ("word", "says"),
    [
        (
            "model=latin",
            "a config is written in UTF-8: {}/model/latin.yaml: unexpected end of data",
        ),
        ("model=scalar", "a config is keys with values: {}/model/scalar.yaml is none; mend that"),
        ("+model.hidden=2", "model.hidden is in the config already: write model.hidden=<value>"),
        ("hydra.sweeper.params={a: 1}", "hydra.sweeper.params takes keys one by one, with a plus"),
        ("++model=a", "model is a group with a place of its own: write model=a, without a +"),
    ],
)
def test_a_line_names_the_file_or_the_way_out(tmp_path: Path, word: str, says: str) -> None:
    for name, text in FILES.items():
        path = tmp_path / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text)
    with (
        initialize_config_dir(str(tmp_path), version_base="1.3"),
        pytest.raises(Exception, match=r".") as caught,
    ):
        compose("main", [word])
    assert one_line(caught.value).startswith(says.format(tmp_path))


@pytest.mark.parametrize(("words", "key", "says"), [
    ([], "model.bta", "no code reads model.bta; the keys are model.hidden"),
    (["model=lru"], "model.bloks", "did you mean model.blocks?"),
    (["model=lstm,lru"], "model.bloks", "did you mean model.blocks?"),
    ([], "training.zzz", "no code reads training.zzz; the keys are training.epochs"),
    ([], "training.epoch", "did you mean training.epochs?"),
    ([], "training.optimizer", "did you mean optimizer?"),
    ([], "data.batch_size", "did you mean training.batch_size?"),
    ([], "model.bidir", "did you mean model.bidirectional?"),
    ([], "model.units", "did you mean model.hidden?"),
    ([], "learning_rate", "did you mean optimizer.lr?"),
    (["optimizer=sgd"], "optimizer.wd", "did you mean optimizer.weight_decay?"),
    ([], "model.head.size", "no code reads model.head.size"),
])  # fmt: skip
def test_a_hint_is_a_key_of_what_was_chosen(
    monkeypatch: pytest.MonkeyPatch, words: list[str], key: str, says: str
) -> None:
    """It named a key of another cell, or the group that had been typed."""
    monkeypatch.setattr("sys.argv", ["x", *words, f"{key}=1"])
    found = one_line(ValueError(f"Could not override '{key}'."))
    assert says in found
    assert ("did you mean" in says) == ("did you mean" in found)


@pytest.mark.parametrize(("swept", "says"), [
    ("model=lstm,gru", "is a key of model=gru, and not of model=lstm: model=lstm,gru; give each"),
    ("model=choice(gru)", "write ++model.reset=<value>"),
])  # fmt: skip
def test_a_sweep_names_the_option_that_lacks_a_key(
    monkeypatch: pytest.MonkeyPatch, swept: str, says: str
) -> None:
    """It said to write ++, and the plan then refused the key for that option."""
    monkeypatch.setattr("sys.argv", ["x", "-m", swept, "model.reset=after"])
    assert says in one_line(ValueError("Could not override 'model.reset'."))


@pytest.mark.parametrize(("group", "name", "near"), [
    ("model", "LSTM", "lstm"), ("device", "gpu", "cuda"), ("data", "fashion", "fashion_mnist"),
    ("schedule", "cos", "cosine"), ("model", "zzz", ""),
])  # fmt: skip
def test_a_hint_is_the_option_that_people_mean(group: str, name: str, near: str) -> None:
    """`device=gpu` suggested the CPU, and `model=LSTM` nothing."""
    found = no_option(group, name, options(group))
    assert found.endswith(f"{group}={name}" + (f"; did you mean {group}={near}?" if near else ""))
