"""From a mirrored sweep to its comparison, both ways, on a server on this machine."""

import csv
import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import warm
from tests.conftest import clean_env
from tests.wandb_server import KEY

SWEEP = ["data=mnist_5k", "model=lstm,rnn", "model.hidden=8", "seed=range(3)", "sweep.name=two"]


def run(folder: Path, env: dict[str, str], *words: str) -> str:
    """Run one of our commands; its output."""
    done = warm.run(
        [sys.executable, "-m", *words], cwd=folder, env=env, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def table(path: Path) -> dict[str, dict[str, str]]:
    """A report's CSV by variant."""
    return {row["variant"]: row for row in csv.DictReader(path.read_text().splitlines())}


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A real sweep that the server has, its report published."""
    from tests.wandb_server import serving

    folder = tmp_path_factory.mktemp("mirrored")
    with serving() as server:
        env = {**clean_env(), "HOME": str(folder), "WANDB_BASE_URL": server.url,
               "WANDB_API_KEY": KEY}  # fmt: skip
        # wandb's report client leaves sockets to the collector, which is its own affair
        del env["PYTHONWARNINGS"]
        run(folder, env, "mnist_seq.train", "-m", *SWEEP)
        said = run(
            folder, env, "mnist_seq.compare", "sweep=outputs/sweeps/two", "wandb_report=true"
        )
        yield server, folder, env, said


@pytest.mark.slow
def test_the_published_report_holds_the_local_numbers(mirrored: Any) -> None:
    """A reader of the W&B report and one of report.md must not argue about numbers."""
    server, folder, env, said = mirrored
    assert "W&B report: http" in said
    (view,) = server.views.values()
    published = json.loads(view["spec"]) if isinstance(view["spec"], str) else view["spec"]
    text = json.dumps(published, ensure_ascii=False)
    assert KEY not in text + said
    local = [path for path in (folder / "outputs/sweeps/two/report").rglob("*") if path.is_file()]
    assert len(local) >= 3
    assert not [path for path in local if KEY.encode() in path.read_bytes()]
    rows = (folder / "outputs/sweeps/two/report/report.md").read_text().splitlines()
    verdicts = [row for row in rows if row.startswith("| ") and "---" not in row]
    assert len(verdicts) >= 3
    cells = {cell.strip() for row in verdicts[:3] for cell in row.strip("|").split("|")}
    numbers = {cell for cell in cells if any(c.isdigit() for c in cell)}
    assert numbers
    assert all(number in text for number in numbers), numbers
    words = ("sweep=outputs/sweeps/two", "wandb_report=true", "formats=[markdown,csv]")
    assert said.splitlines()[-1] in run(folder, env, "mnist_seq.compare", *words)
    assert len(server.views) == 1, "the same report, in its place"


@pytest.mark.slow
def test_a_comparison_of_pulled_runs_has_the_numbers_of_the_folders(mirrored: Any) -> None:
    """A team whose runs lie on other machines gets the same table."""
    server, folder, env, _ = mirrored
    here = folder / "elsewhere"
    here.mkdir()
    first = next(iter(server.runs.values()))
    server.runs["mnist_seq", "x"] = dataclasses.replace(first, name="x", config={"lr": 1})
    env = {**env, "WANDB_RUN_GROUP": "two"}  # in place of group=two
    said = run(here, env, "mnist_seq.compare", "source=wandb", "formats=[csv]")
    assert said.startswith("W&B: group two (WANDB_RUN_GROUP)\n")
    assert "warning: left out of the group's 7 runs in W&B: 1 not of this project" in said
    local = table(folder / "outputs/sweeps/two/report/report.csv")
    (found,) = here.rglob("report.csv")
    pulled = table(found)
    assert pulled.keys() == local.keys()
    for variant, row in local.items():
        for key in ("n", "mean", "sd", "difference", "p_adjusted", "verdict", "num_params"):
            assert pulled[variant][key] == row[key], (variant, key)
