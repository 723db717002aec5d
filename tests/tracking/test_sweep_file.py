"""The ready file for W&B Sweeps."""

import itertools

import yaml

from mnist_seq.config import conf_dir
from tests.conftest import config_of

FILE = yaml.safe_load((conf_dir() / "wandb_sweep.yaml").read_text())


def test_every_combination_of_the_file_is_a_config_of_ours() -> None:
    """An agent would otherwise fail on some other machine, an hour later."""
    values = {
        key: given.get("values") or [given["min"], given["max"]]
        for key, given in FILE["parameters"].items()
    }
    for combination in itertools.product(*values.values()):
        words = [f"{key}={value}" for key, value in zip(values, combination, strict=True)]
        assert config_of(*words).training.epochs >= 1


def test_the_agent_passes_overrides_in_hydras_grammar() -> None:
    """Its default, --model=lstm, is no override."""
    assert FILE["command"][-1] == "${args_no_hyphens}"
    assert FILE["program"] == "mnist_seq.train"
    assert FILE["metric"]["name"] == "best/valid/accuracy"
