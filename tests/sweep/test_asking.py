"""A plan asks the fork server what needs torch."""

import subprocess
import sys

import pytest

from mnist_seq.config import ConfigError
from mnist_seq.sweep.plan.fit import _check_machine, _count
from mnist_seq.sweep.pool.asking import with_torch
from tests.conftest import clean_env
from tests.training.conftest import make_config

CODE = """
import sys
from mnist_seq import compose
from mnist_seq.sweep.plan.fit import _check_machine, _count
from mnist_seq.sweep.pool import starts
from mnist_seq.sweep.pool.asking import with_torch
starts.warm_up(1, data="")
configs = [compose("data=mnist_5k", f"model={name}") for name in ("lstm", "gru")]
with_torch(_check_machine, configs)
print(with_torch(_count, configs), "torch" in sys.modules)
try:
    with_torch(_check_machine, [compose("data=mnist_5k", "model.hidden=1000000")])
except Exception as error:
    print(type(error).__name__, "torch" in sys.modules)
starts.end()
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="no fork server there")
def test_the_command_of_a_sweep_does_not_import_torch_to_plan() -> None:
    """It takes over a second. Only a refusal does, whose words are those of this process."""
    done = subprocess.run(
        [sys.executable, "-c", CODE], env=clean_env(), capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["[24714, 18698] False", "ConfigError True"], done.stderr


def test_without_a_fork_server_the_answers_are_the_same() -> None:
    assert with_torch(_count, [make_config("model.hidden=4")]) == [594]
    with pytest.raises(ConfigError, match="must fit into memory"):
        with_torch(_check_machine, [make_config("model.hidden=1000000")])
