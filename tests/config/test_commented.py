"""--help shows each key with its value and its meaning."""

from pathlib import Path

import pytest
import yaml
from hydra import compose

from mnist_seq.config import commented
from mnist_seq.config.hydra_errors import own_hydra
from mnist_seq.config.paths import conf_dir
from mnist_seq.runs.variants import flat

COMMANDS = ("train", "compare", "sync", "status", "predict", "reproduce")
OPTIONS = [
    f"{group}/{path.stem}"
    for group in ("data", "device", "model", "optimizer", "schedule", "tracker")
    for path in sorted((conf_dir() / group).glob("*.yaml"))
]


@pytest.mark.parametrize("name", [*COMMANDS, *OPTIONS])
def test_every_key_has_a_comment(name: str) -> None:
    """A key without a meaning is one that people guess at. `name` says which option it is."""
    notes: dict[str, str] = {}
    keys: list[str] = []
    for _, file in commented._files(name, name.rpartition("/")[0], [conf_dir()]):
        text = file.read_text()
        notes |= commented.comments_of_file(text, "")
        values = {k: v for k, v in yaml.safe_load(text).items() if k not in ("defaults", "hydra")}
        keys += flat(values)
    assert keys
    assert {key for key in keys if key != "name"} <= notes.keys()


@pytest.mark.parametrize("width", [0, 40, 50, 80, 120])
def test_the_text_is_the_config_at_any_width(width: int) -> None:
    """Comments wrap between words, and what stands there can be pasted into a YAML."""
    long = "one learning rate for all of them, whatever is said of each elsewhere"
    notes = {"a.lr": long, "a.betas": "two", "b": "a name"}
    text = "a:\n  lr: 0.1\n  betas:\n  - 0.9\n  - 0.99\n  own:\n  - a: 1\nb: ${oc.env:X,a b}\n"
    found = commented.commented(text, notes, width=width)
    assert yaml.safe_load(found) == yaml.safe_load(text)
    assert "  betas: [0.9, 0.99]" in found
    assert " ".join(found.replace("#", " ").split()).count(long) == 1
    if width:
        assert max(map(len, found.splitlines())) <= width


def test_comments_come_from_the_chosen_options_and_from_folders_of_the_user(tmp_path: Path) -> None:
    """`--help model=gru` explains the GRU; an option of one's own is explained too."""
    (tmp_path / "schedule").mkdir()
    (tmp_path / "schedule" / "own.yaml").write_text("name: own\nwarmup: 0\ntau: 3  # '#' of mine\n")
    words = [f"hydra.searchpath=[file://{tmp_path}]", "model=gru", "schedule=own"]
    with own_hydra():
        config = compose("train", words, return_hydra_config=True)
    notes = commented.comments_of_config(config.hydra)
    assert notes["model.update_gate"].startswith("false: z = 0")
    assert notes["model.hidden"] == "hidden units of a layer"
    assert notes["model.name"] == "model=gru says so"
    assert notes["schedule.tau"] == "'#' of mine"
    assert notes["sweep.retries"].startswith("further tries")
    assert "model.cifg" not in notes
    shown = commented.help_text(_root_=config)
    assert "hydra" not in yaml.safe_load(shown.replace("$$", "$"))
    assert "$${oc.env:MNIST_SEQ_DATA,data}" in shown
