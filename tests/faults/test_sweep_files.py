"""The files of a sweep's own folder damaged in every way."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mnist_seq.runs.sweep_folder import SweepFolder
from tests.faults.damage import ALL, ENDLESS

FILES = ("ledger.jsonl", "plan.json", "multirun.yaml", ".lock", ".lock-holder")
MULTIRUN = "hydra:\n  sweeper:\n    sampler: random\nseed: 0\n"


def hold(folder: SweepFolder) -> bool:
    with folder.locked():
        return True


@pytest.mark.parametrize("how", [*ALL, *ENDLESS])
@pytest.mark.parametrize("file", FILES)
def test_a_damaged_file_of_a_sweep_is_read_around_or_named(
    tmp_path: Path, file: str, how: str
) -> None:
    """The ledger tells and the lock keeps out; neither holds a number."""
    folder = SweepFolder(tmp_path / "sweeps" / "s")
    with folder.locked():
        (folder.path / ".lock-holder").rename(folder.path / "kept")
    (folder.path / "kept").rename(folder.path / ".lock-holder")
    for name in "abc":
        folder.note("planned", name)
    folder.config_path.write_text(MULTIRUN)
    folder.add_plan({"mode": "fixed"})
    if file == ".lock" and how.startswith("flipped"):
        (folder.path / file).write_text("x")
    {**ALL, **ENDLESS}[how](folder.path / file)
    calls: dict[str, Callable[[], object]] = {
        "note": lambda: folder.note("started", "d"),
        "ledger": folder.ledger,
        "sampler": folder.sampler,
        "plans": folder.plans,
        "lock": lambda: hold(folder),
    }
    done, said = {}, {}
    for name, call in calls.items():
        try:
            done[name] = call()
        except (ValueError, OSError) as error:
            said[name] = str(error)
    assert all(file in text and len(text.splitlines()) == 1 for text in said.values()), said
    if file != "ledger.jsonl":
        assert [row["run"] for row in folder.ledger()] == ["a", "b", "c", "d"]
    elif "note" in done:
        assert folder.ledger()[-1]["run"] == "d", "what was damaged swallows no new line"
    assert "lock" in done or file == ".lock"
