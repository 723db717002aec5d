"""Hydra's flags: wrong ones are one line, and completion knows those of the typed line."""

from pathlib import Path

import pytest

from mnist_seq.config import ConfigError
from mnist_seq.config.flags import check_flags, with_flags_of_line


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--hlep"], "no code reads the flag --hlep; did you mean --help"),
        (["-x"], "no code reads the flag -x"),
        (["-m", "seed=0,1", "--config-dir", "own", "model=gru"], "model=gru stands apart; move it"),
        (["seed=1", "--config-dir"], "expected one argument"),
        (["--config", "own"], "could match --config-path, --config-name"),
        (["--info", "all-of-it"], "invalid choice: 'all-of-it'"),
        (["--cfg", "hydra", "--resolve"], "write --cfg all --package hydra --resolve"),
        (["-m", "-cn", "compare"], "--config-name must be train, or .*: compare is for another"),
        (["--config-name=sync.yaml"], "sync is for another command"),
    ],
)
def test_a_wrong_flag_is_one_line(words: list[str], says: str) -> None:
    """Hydra prints a page of usage, or runs another command's config as this one's."""
    with pytest.raises(ConfigError, match=says):
        check_flags(words, "train")


def test_flags_that_hydra_takes_are_taken(tmp_path: Path) -> None:
    (tmp_path / "compare.yaml").write_text("defaults: [train, _self_]\n", encoding="utf-8")
    check_flags(["--config-dir", str(tmp_path), "-cn", "compare", "-m", "seed=0,1"], "train")
    check_flags(["seed=-1", "--cfg", "all", "--package", "hydra", "--resolve"], "train")
    check_flags(["--multi", "~model.hidden", "-cn=train"], "train")
    check_flags(["--cfg", "hydra", "--resolve"], "compare")


@pytest.mark.parametrize("line", ["x --config-dir {0} -cn=own model=", "x 'model= -cd={0} -cn own"])
def test_completion_gets_the_configs_of_the_typed_line(line: str, tmp_path: Path) -> None:
    """Hydra completes with the flags of the shell's own call, which has none."""
    environ = {"COMP_LINE": line.format(tmp_path)}
    words = with_flags_of_line(["-sc", "query=bash"], environ)
    assert words[1:] == [str(tmp_path), "-cn", "own", "-sc", "query=bash"]
    assert with_flags_of_line(["seed=1"], environ) == ["seed=1"], "and no other command does"


def test_completion_leaves_out_a_folder_that_is_typed_by_half() -> None:
    query = ["-sc", "query=bash"]
    assert with_flags_of_line(query, {"COMP_LINE": "x --config-dir nowhe"}) == query
