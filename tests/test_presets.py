"""The presets that repeat published set-ups."""

import re
from pathlib import Path

import pytest

from mnist_seq.config import conf_dir
from mnist_seq.config.paths import options
from mnist_seq.runs.folder import RunFolder
from mnist_seq.training.preflight.check import check_run
from mnist_seq.training.preflight.count import num_params
from mnist_seq.training.preflight.task import check_task, num_steps
from tests.conftest import ROOT, Command, config_of

PUBLISHED = [
    ("mnist1d_gru", [], 5_134, 6_000),  # the authors' counts
    ("mnist1d_shuffled", [], 5_134, 1_000),
    ("rows", [], 82_186, 8_600),
    ("rows", ["model=gru"], 61_962, 8_600),
    ("smnist", [], 42_210, 3_440),
    ("psmnist", [], 42_210, 3_440),
    ("smnist_full", [], 42_210, 100_000),  # "42k", 200 epochs of 50,000
    ("psmnist_full", [], 42_210, 100_000),
]

# Of tutorials, by hand: weights and biases of each layer and direction, projection, norm, head
TUTORIALS = [
    ("pytorch_example", 4 * 64 * (28 + 64 + 2) + 128 + 65 * 32 + 33 * 10, 14 * 938),
    ("yunjey_lstm", 4 * 128 * (28 + 3 * 128 + 4) + 1_290, 1_200),
    ("yunjey_bilstm", 8 * 128 * (28 + 4 * 128 + 4) + 2_570, 1_200),
    ("persson_bilstm", 8 * 256 * (28 + 4 * 256 + 4) + 5_130, 1_876),
    ("sentdex", 4 * 128 * (28 + 3 * 128 + 4) + 129 * 32 + 330, 5_625),
    ("keras_guide", 4 * 64 * (28 + 64 + 1) + 128 + 650, 938),
    ("keras_irnn", 100 * (1 + 100 + 1) + 1_010, 200 * 1_875),
    ("geron_rnn", 150 * (28 + 150 + 2) + 1_510, 10 * 367),
    ("tensorflow_examples", 4 * 128 * (28 + 128 + 2) + 1_290, 10_000),
    ("morvan_tensorflow", 29 * 128 + 4 * 128 * (2 * 128 + 2) + 1_290, 781),
]


@pytest.mark.parametrize(("name", "words", "params", "steps"), PUBLISHED)
def test_a_preset_has_the_published_size_and_number_of_updates(
    name: str, words: list[str], params: int, steps: int
) -> None:
    """A read-out or a split that differs would be another experiment under the same name."""
    config = config_of(f"experiment={name}", *words)
    assert (num_params(config), num_steps(config)) == (params, steps)


@pytest.mark.parametrize("name", options("experiment"))
def test_a_preset_opens_with_its_command_and_its_question(name: str) -> None:
    package, command, question, *_ = (
        (conf_dir() / "experiment" / f"{name}.yaml").read_text().splitlines()
    )
    assert package == "# @package _global_"
    assert re.match(rf"# python -m mnist_seq\.train (-m )?experiment={name}\b", command)
    assert question.endswith("?")


@pytest.mark.slow
def test_presets_of_tutorials_are_possible_and_of_their_size() -> None:
    """Each has its line in the table of the docs."""
    table = (ROOT / "docs" / "tutorials.md").read_text()
    for name, params, steps in TUTORIALS:
        config = config_of(f"experiment={name}", "device=cpu")
        check_task(config)
        check_run(config)
        assert (num_params(config), num_steps(config)) == (params, steps), name
        assert f"`experiment={name}" in table


@pytest.mark.slow
def test_a_small_gru_reaches_the_published_accuracy_on_mnist1d(
    train: Command, tmp_path: Path
) -> None:
    """91 % is published, and stored runs of the authors end at 89.1 and 92.1 %."""
    train("experiment=mnist1d_gru", "tracker=none", "hydra.run.dir=run")
    assert 0.87 < RunFolder(tmp_path / "run").result()["metrics"]["test/accuracy"] < 0.94
