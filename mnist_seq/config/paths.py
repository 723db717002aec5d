"""Finds the YAML files of `conf/`."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def conf_dir() -> Path:
    """The folder `conf/`: inside the package in a wheel, next to it in a clone."""
    inside = _PACKAGE / "conf"
    return inside if inside.is_dir() else _PACKAGE.parent / "conf"


def options(group: str) -> list[str]:
    """Names of the options of a config group, sorted."""
    return sorted(path.stem for path in (conf_dir() / group).glob("*.yaml"))


def groups() -> list[str]:
    """Our config groups with options to choose from; `base` has the parts that options share."""
    hidden = {"base", "hydra"}
    return sorted(p.name for p in conf_dir().iterdir() if p.is_dir() and p.name not in hidden)
