"""Where the YAML files lie."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def conf_dir() -> Path:
    """The folder `conf/`: inside the package in a wheel, beside it in a clone."""
    inside = _PACKAGE / "conf"
    return inside if inside.is_dir() else _PACKAGE.parent / "conf"


def options(group: str) -> list[str]:
    """Names that can be chosen in a config group, sorted."""
    return sorted(path.stem for path in (conf_dir() / group).glob("*.yaml"))


def groups() -> list[str]:
    """Config groups of ours that a user chooses from (`base` holds what options share)."""
    hidden = {"base", "hydra"}
    return sorted(p.name for p in conf_dir().iterdir() if p.is_dir() and p.name not in hidden)
