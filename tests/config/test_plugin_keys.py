"""Keys of Hydra's own plugins, and what a YAML may not say, are answered in one line."""

import pytest
from omegaconf import OmegaConf

from mnist_seq.config import ConfigError
from mnist_seq.config.hydra_errors import check_hydra_node
from mnist_seq.config.plugin_keys import unknown_key
from mnist_seq.sweep.engines import launcher_of


@pytest.mark.parametrize(
    ("key", "option", "says"),
    [
        ("launcher.n_jobs", "joblib", "write hydra.launcher.workers=<value>"),
        ("launcher.partition", "submitit_slurm", "++hydra.launcher.parameters.slurm_partition="),
        ("launcher.timeout_min", "submitit_local", "++hydra.launcher.parameters.timeout_min="),
        ("launcher.array_parallelism", "submitit_slurm", "write hydra.launcher.workers="),
        ("launcher.partition", "pool", "the keys of hydra/launcher=pool are hydra.launcher.work"),
        ("sweeper.n_jobs", "mnist_seq", "write hydra.launcher.workers="),
        ("sweeper.study_name", "optuna", "write sweep.name="),
        ("sweeper.nonsense", "optuna", "hydra.sweeper.n_trials"),
    ],
)
def test_a_key_of_hydras_own_plugin_is_answered_with_ours(key: str, option: str, says: str) -> None:
    assert says in unknown_key(f"hydra.{key}", option)


def test_a_launcher_refuses_a_key_that_was_added_with_a_plus() -> None:
    """It was ignored without a word by all launchers but the pool."""
    keys = {"workers": "auto", "grace": 1.0, "slots_per_device": 1, "n_jobs": 2}
    with pytest.raises(ConfigError, match=r"hydra.launcher.n_jobs; write hydra.launcher.workers="):
        launcher_of("pool", "pool", keys)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("sweep.subdir", "x", "hydra.sweep.subdir=x is not read"),
        ("job.name", "../x", "hydra.job.name must be a plain name"),
        ("output_subdir", "a/b", "hydra.output_subdir must be a plain name"),
    ],
)
def test_a_yaml_may_say_no_more_than_the_command_line(key: str, value: str, says: str) -> None:
    subdir = "${hydra:job.override_dirname}"
    node = {"job": {"name": "train"}, "output_subdir": None, "sweep": {"subdir": subdir}}
    config = OmegaConf.create({"hydra": node})
    check_hydra_node(config, is_sweep=True)
    OmegaConf.update(config, f"hydra.{key}", value)
    with pytest.raises(ConfigError, match=says):
        check_hydra_node(config, is_sweep=True)
