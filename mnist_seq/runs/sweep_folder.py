"""The sweep folder: its runs, its ledger, its lock.

<run>/            one folder a run
ledger.jsonl      one line a change of state of a run
multirun.yaml     the config and the overrides of the last command
.lock             held by the command that is at work on the sweep
.stale/           runs that a rerun has replaced
"""

import datetime
import shutil
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from mnist_seq.runs import files
from mnist_seq.runs.folder import RunFolder
from mnist_seq.runs.lock import held
from mnist_seq.runs.points import passed

Change = Literal[
    "planned", "reused", "started", "finished", "failed", "diverged", "interrupted", "retried"
]


class SweepFolder:
    """One sweep on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ledger_path = path / "ledger.jsonl"
        self.config_path = path / "multirun.yaml"
        self.stale_path = path / ".stale"

    def run(self, name: str) -> RunFolder:
        """The folder of one run."""
        return RunFolder(self.path / name)

    def runs(self) -> list[RunFolder]:
        """Runs that have begun here, those set aside left out."""
        found = (RunFolder(record.parent) for record in sorted(self.path.glob("*/run.json")))
        return [run for run in found if run.path != self.stale_path]

    def note(self, change: Change, run: str, **facts: Any) -> None:
        """Append one change of state to the ledger."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        files.append_line(self.ledger_path, {"time": now, "run": run, "change": change, **facts})

    def ledger(self) -> list[dict[str, Any]]:
        """All changes so far, oldest first; a torn last line is left out."""
        return files.read_lines(self.ledger_path)

    def sampler(self) -> str:
        """What drew the values of a search, such as "random"; "" where the sweep was none.

        Raises:
            ValueError: multirun.yaml is damaged.
        """
        try:
            files.check_regular(self.config_path)
            text = self.config_path.read_text(encoding="utf-8")
            if "sampler:" not in text:  # most sweeps are grids, and to parse takes its time
                return ""
            config = OmegaConf.create(text)
            return str(OmegaConf.select(config, "hydra.sweeper.sampler", default=""))
        except FileNotFoundError:
            return ""
        except (OSError, ValueError, YAMLError, OmegaConfBaseException) as error:
            raise ValueError(
                f"{self.config_path} must hold the config of the sweep's last command: "
                f"{' '.join(str(error).split())}; the same sweep command writes it anew"
            ) from error

    def set_aside(self, run: RunFolder) -> Path:
        """Move a run out of the way, so that another takes its name; nothing is deleted."""
        stamp = datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S-%f")
        target = self.stale_path / f"{run.path.name}_{stamp}"
        target.parent.mkdir(exist_ok=True)
        shutil.move(run.path, target)
        passed("run: set aside")
        return target

    def locked(self) -> AbstractContextManager[None]:
        """Hold the sweep for one command.

        Raises:
            FolderLocked: another process is at work on this sweep.
        """
        return held(self.path, what="a sweep")
