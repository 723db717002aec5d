"""A key is the same key however it is typed."""

import pytest

from mnist_seq.config import ConfigError
from mnist_seq.config.words import key_of, last_of_each_key, words_of


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("model.hidden=8", "model.hidden"),
        ("+model.hidden=8", "model.hidden"),
        ("++model.hidden=a=b", "model.hidden"),
        ("~model.hidden", "~model.hidden"),
    ],
)
def test_a_plus_is_no_part_of_a_key(word: str, key: str) -> None:
    assert key_of(word) == key


def test_the_last_word_of_a_key_counts_and_an_addition_stays_one() -> None:
    words = ["model.hidden=8", "+own=1", "++model.hidden=4", "own=2", "seed=1"]
    assert [*last_of_each_key(words).values()] == ["++model.hidden=4", "+own=2", "seed=1"]


def test_params_of_a_yaml_are_words_in_hydras_grammar() -> None:
    params = {"seed": "range(3)", "model": {"hidden": 8, "cifg": True}, "optimizer.betas": [0, 0.9]}
    words = ["seed=range(3)", "model.hidden=8", "model.cifg=true", "optimizer.betas=[0,0.9]"]
    assert words_of(params) == words


@pytest.mark.parametrize("key", ["sweep.retries", "hydra/launcher", "ablation", "hydra.job.name"])
def test_params_that_a_run_would_not_read_are_refused(key: str) -> None:
    with pytest.raises(ConfigError, match=f"what a run is asked to do: {key}=1"):
        words_of({key: 1})
