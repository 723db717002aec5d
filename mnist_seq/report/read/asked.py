"""What the command of a sweep asked for, as its folder says: the command, the study, its arms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mnist_seq.config.paths import conf_dir
from mnist_seq.config.text import in_one_line
from mnist_seq.runs.commands import read_asked, to_repeat_sweep
from mnist_seq.runs.disk import limits, parsing
from mnist_seq.runs.sweep_folder import SweepFolder

_TOGETHER, _WITHOUT = "+", "without_"


@dataclass(frozen=True)
class Asked:
    """The last command of a sweep.

    Attributes:
        folder: of the sweep.
        hydra: Hydra's node of its config; empty where nothing is known.
        study: name of the ablation study; "" if it ran none.
        labels: what the arms of the study are, in the study's words.
    """

    folder: Path = Path()
    hydra: Mapping[str, Any] = field(default_factory=dict, repr=False)
    study: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    def label(self, arm: str) -> str:
        """What an arm is; of arms together and left out, what each of them is; "" if not said."""
        if arm in self.labels:
            return self.labels[arm]
        if arm.startswith(_WITHOUT):
            inner = self.labels.get(arm.removeprefix(_WITHOUT), "")
            return f"all changes but: {inner}" if inner else ""
        inner_ones = [self.labels.get(name, "") for name in arm.split(_TOGETHER)]
        return " and ".join(inner_ones) if all(inner_ones) else ""

    def command(self, changes: Mapping[str, str] | None = None) -> str:
        """The command that goes on with the sweep; "" where it is not known, or none of ours.

        Args:
            changes: values of keys in the place of those that it asked for. A sweep.name among
                them makes it another sweep.
        """
        return to_repeat_sweep(self.folder, changes or {}, asked=self.hydra) if self.hydra else ""


def asked_of(sources: Sequence[Path]) -> Asked:
    """The command of the one sweep that a report is about; an empty one where there are others."""
    if len(sources) != 1 or not (path := SweepFolder(sources[0]).config_path).is_file():
        return Asked()
    study, labels = "", {}
    try:
        hydra = read_asked(path)
        content = limits.read_bytes(path)
        if b"\nablation:" in content:
            study = _text(parsing.select(hydra, "runtime.choices.ablation"))
            asked = parsing.from_yaml(content)
            labels = _labels(parsing.select(asked, "ablation.labels"))
            labels = labels or _labels_of_today(study, parsing.select(asked, "ablation.arms"))
    except (OSError, ValueError):  # a folder of somebody else's: nothing is known of its command
        return Asked()
    return Asked(sources[0], hydra, study, labels)


def _labels(found: object) -> dict[str, str]:
    if not isinstance(found, Mapping):
        return {}
    return {str(arm): _text(label) for arm, label in found.items() if isinstance(label, str)}


def _labels_of_today(study: str, arms: object) -> dict[str, str]:
    """Labels for a sweep from before studies had them, of the arms that are still the same."""
    path = conf_dir() / "ablation" / f"{study}.yaml"
    if not study.isidentifier() or not isinstance(arms, Mapping) or not path.is_file():
        return {}
    known = parsing.from_yaml(path.read_bytes())
    now = parsing.select(known, "arms")
    same = {arm for arm in arms if isinstance(now, Mapping) and now.get(arm) == arms[arm]}
    found = _labels(parsing.select(known, "labels"))
    return {arm: label for arm, label in found.items() if arm in same}


def _text(value: object) -> str:
    return in_one_line(value) if isinstance(value, str) else ""
