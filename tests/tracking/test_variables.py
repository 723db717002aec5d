"""WANDB_ variables: each holds where our key has its default, or is named, or is in the table."""

import re
from pathlib import Path
from typing import Any

import pytest

from mnist_seq.config import plain
from mnist_seq.config.errors import ConfigError
from mnist_seq.tracking.wandb import WandB, variables
from mnist_seq.tracking.wandb.settings import Settings
from tests.conftest import ROOT, config_of
from tests.tracking.player import Player
from tests.wandb_server import KEY, Server

LAB = {
    "WANDB_PROJECT": "lab",
    "WANDB_TAGS": "thesis, gpu",
    "WANDB_RUN_GROUP": "autumn",
    "WANDB_JOB_TYPE": "ablation",
    "WANDB_NOTES": "second try",
    "WANDB_NAME": "mine",
    "WANDB_RESUME": "yes",  # wandb would not start
}


def test_the_table_of_the_docs_has_all_variables_and_no_other() -> None:
    """A variable that is ignored without a word sends runs to the wrong project."""
    text = (ROOT / "docs" / "wandb.md").read_text()
    section = text.split("## Variables\n")[1].split("\n## ")[0]
    table = {
        name: meaning
        for names, meaning in re.findall(r"^\| (`WANDB_.*?) \| (.*) \|$", section, re.MULTILINE)
        for name in re.findall(r"`(WANDB_\w+)`", names)
    }
    known = (variables.HOLDING, variables.OF_WANDB, variables.OF_MODE, variables.REFUSED,
             variables.FIXED)  # fmt: skip
    assert table.keys() == {name for group in known for name in group}
    assert all("no effect" in table[name] for name in variables.FIXED)
    assert all(f"`tracker.{key}`" in table[name] for name, key in variables.KEYS.items())


def test_the_defaults_are_those_of_the_yaml() -> None:
    """By them a variable sees that nobody has given the key."""
    options = plain(config_of("tracker=wandb"))["tracker"]
    assert options.keys() == {"name", *vars(Settings())}
    assert Settings.read(options) == Settings()
    held = variables.holding(options, is_sweep=True, given=LAB)
    assert held.keys() == LAB.keys() - {"WANDB_NAME", "WANDB_RESUME"}


@pytest.mark.parametrize(
    ("options", "is_sweep", "given", "expected"),
    [
        ({"project": "own"}, True, {"WANDB_PROJECT": "lab"}, {}),
        ({"tags": ["own"]}, True, {"WANDB_TAGS": "lab"}, {}),
        ({}, True, {"WANDB_PROJECT": " ", "WANDB_ENTITY": ""}, {}),
        ({}, True, {"WANDB_NAME": "a"}, {}),
        ({}, False, {"WANDB_NAME": "a"}, {"WANDB_NAME": "a"}),
        ({}, False, {"WANDB_DIR": "/d"}, {"WANDB_DIR": "/d"}),
        ({}, False, {"WANDB_DIR": str(Path.cwd()), "WANDB_SWEEP_ID": "s"}, {}),  # the agent's own
    ],
)
def test_what_is_given_wins(
    options: dict[str, Any], is_sweep: bool, given: dict[str, str], expected: dict[str, str]
) -> None:
    """A key, an empty variable, a name that all runs would share."""
    assert variables.holding(options, is_sweep=is_sweep, given=given) == expected


def test_what_cannot_hold_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent's id is that of the one run that it starts."""
    for name in ("WANDB_NAME", "WANDB_RUN_ID", "WANDB_RESUME"):
        monkeypatch.setenv(name, "x")
    (line,) = variables.notices({}, is_sweep=True)
    assert line.startswith("W&B: WANDB_NAME, WANDB_RUN_ID, WANDB_RESUME do not hold, since runs of")
    held, line = variables.notices({}, is_sweep=False)
    assert held == "W&B: name x (WANDB_NAME)"
    assert line.startswith("W&B: WANDB_RUN_ID, WANDB_RESUME do not hold, since a run has an id of")
    monkeypatch.setenv("WANDB_SWEEP_ID", "s")
    assert variables.notices({}, is_sweep=False)[1].startswith("W&B: WANDB_RESUME does not hold")


def test_a_folder_that_somebody_sent_does_not_say_where_files_go() -> None:
    """run.json of others is data."""
    known = {"variables": {"WANDB_DIR": "/home/me", "WANDB_PROJECT": "p", "PATH": "x", "n": 1}}
    assert variables.recorded(known) == {"WANDB_PROJECT": "p"}
    assert variables.recorded({"variables": ["WANDB_PROJECT"]}) == {}


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        (
            "WANDB_PROJECT",
            "a/b",
            r"tracker.project must be a name without : / .*=a/b, by WANDB_PRO",
        ),
        (
            "WANDB_TAGS",
            "t" * 65,
            r"tracker.tags.0 must be 64 characters or shorter: .*WANDB_TAGS; ",
        ),
    ],
)
def test_a_value_that_no_server_takes_is_refused_before_training(
    name: str, value: str, rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is refused in the key's place."""
    monkeypatch.setenv(name, value)
    options = plain(config_of("tracker=wandb"))["tracker"]
    with pytest.raises(ConfigError, match=rule):
        WandB(options).check()
    WandB({**options, "mode": "disabled"}).check()


@pytest.mark.slow
def test_a_sweep_goes_where_the_lab_says_also_when_it_is_synced(
    player: Player, server: Server, tmp_path: Path
) -> None:
    """And run.json has which variables held, so that a shell without them sends it there too."""
    files = tmp_path / "scratch"
    player.env = {**LAB, "WANDB_DIR": str(files)}
    played = player.play([{"name": "a"}, {"name": "b"}], "tracker.mode=offline", group="sweep")
    assert (
        played.log.count("W&B: project lab (WANDB_PROJECT), tags thesis, gpu (WANDB_TAGS), ") == 1
    )
    assert played.log.count("W&B: WANDB_NAME, WANDB_RESUME do not hold") == 1
    assert not list(player.root.rglob("offline-run-*"))
    assert len(list(files.glob("wandb/offline-run-*"))) == 2
    held = {k: v for k, v in player.env.items() if k not in ("WANDB_NAME", "WANDB_RESUME")}
    assert [record["variables"] for record in played.records()] == [held] * 2
    assert [record["project"] for record in played.records()] == ["lab"] * 2
    player.env = {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY, "WANDB_DIR": str(files)}
    assert "2 sent from offline files" in player.sync().stdout
    player.env.pop("WANDB_DIR")  # from the folders then
    assert "2 rebuilt" in player.sync("project=other").stdout
    for (project, _), run in server.runs.items():
        assert run.fields["displayName"] in ("a", "b")
        assert (run.fields["groupName"], run.fields["jobType"]) == ("autumn", "ablation")
        assert {"thesis", "gpu", "lstm"} <= set(run.fields["tags"])
        assert run.fields["notes"] == "second try"
        assert project in ("lab", "other")
    assert len(server.runs) == 4
    assert player.record("a")["entity"] == "me"


@pytest.mark.slow
def test_an_online_run_of_its_own_has_the_name_and_stays_in_its_project(
    player: Player, server: Server
) -> None:
    """A run that is resumed in a shell without the variables is the same run in W&B."""
    key = {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY}
    player.env = {**LAB, **key}
    stop = {"state": "interrupted", "exit_code": 130}
    assert player.play([{"name": "a", "steps": [1, 2], **stop}]).states() == ["synced"]
    player.env = key
    played = player.play([{"name": "a", "first_step": 2, "steps": [3]}])
    assert "W&B: project lab (WANDB_PROJECT)" not in played.log
    ((project, run),) = [(project, run) for (project, _), run in server.runs.items()]
    assert (project, run.fields["displayName"], run.fields["groupName"]) == (
        "lab",
        "mine",
        "autumn",
    )
    assert [row["step"] for row in run.history] == [1, 2, 3]


def test_a_comparison_takes_runs_from_the_place_that_the_lab_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the command says none."""
    for name, value in LAB.items():
        monkeypatch.setenv(name, value)
    default = {"project": "mnist_seq", "entity": "default", "group": "none"}
    place, held = variables.place_of_pull(default)
    assert place == {"project": "lab", "entity": "default", "group": "autumn"}
    assert variables.said(held) == "project lab (WANDB_PROJECT), group autumn (WANDB_RUN_GROUP)"
    given = {"project": "own", "entity": "me", "group": "cells"}
    assert variables.place_of_pull(given) == (given, {})
