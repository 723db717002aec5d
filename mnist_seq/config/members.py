"""Finds the options of a group: ours in `conf/`, and a user's own ones.

An own member is a YAML and a file of code beside it, in a folder of `--config-dir` (or of
`hydra.searchpath`): `mine/data/pulses.yaml` and `mine/data/pulses.py`. Its code is imported as if
it lay in our folder, as `mnist_seq.tasks.pulses`, so that nothing else tells the two apart: the
code hash reads it, and relative imports find what lies beside it.

A command learns of its folders from Hydra (`use_folders_of`). The processes that it starts, here or
on other machines, inherit them through an environment variable. The folder of a run never names
one, since anybody may have written that folder.
"""

import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from mnist_seq.config.errors import ConfigError

# Config group -> our folder of its members, whose modules this one names and does not import
_OURS = {
    "data": "tasks",
    "model": "models.cells",
    "optimizer": "training.optimizers",
    "schedule": "training.schedules",
    "tracker": "tracking",
}
PACKAGES = {group: f"mnist_seq.{folder}" for group, folder in _OURS.items()}
# The folders in use, one a line; jobs on other machines get the variables of this prefix
_FOLDERS = "MNIST_SEQ_FOLDERS"
_PACKAGE = Path(__file__).resolve().parent.parent


def shipped() -> Path:
    """The folder `conf/`: inside the package in a wheel, next to it in a clone."""
    inside = _PACKAGE / "conf"
    return inside if inside.is_dir() else _PACKAGE.parent / "conf"


class Folders:
    """Several folders as one, in which options are looked for.

    Of all but the first, only a YAML with code beside it is an option of its own; other YAMLs there
    change options of ours.
    """

    def __init__(self, ours: Path, others: Sequence[Path]) -> None:
        self.ours, self.others = ours, others

    def __truediv__(self, group: str) -> "Folders":
        return Folders(self.ours / group, [folder / group for folder in self.others])

    def glob(self, pattern: str) -> Iterator[Path]:
        """The options' files."""
        yield from self.ours.glob(pattern)
        for folder in self.others:
            yield from (p for p in folder.glob(pattern) if p.with_suffix(".py").is_file())


def conf_dir() -> Folders:
    """`conf/`, and the folders of own members."""
    return Folders(shipped(), folders())


def options(group: str) -> list[str]:
    """Names of the options of a config group, sorted."""
    return sorted(path.stem for path in (conf_dir() / group).glob("*.yaml"))


def folders() -> list[Path]:
    """The folders of own members, in the order in which they are looked through."""
    return [Path(text) for text in os.environ.get(_FOLDERS, "").split("\n") if text]


def environment() -> dict[str, str]:
    """The variable by which a process that is already there learns of the folders."""
    return {_FOLDERS: os.environ[_FOLDERS]} if folders() else {}


def file_of(group: str, name: str) -> Path:
    """The YAML of an option."""
    code = _code(group, name)
    return code.with_suffix(".yaml") if code else shipped() / group / f"{name}.yaml"


def code_file(module: str) -> Path | None:
    """The file of a module that lies in a folder of own members; None for all others."""
    package, _, name = module.rpartition(".")
    group = next((group for group, of in PACKAGES.items() if of == package), None)
    if group is None:
        return None
    files = (folder / group / f"{name}.py" for folder in folders())
    return next((file for file in files if file.is_file()), None)


def _code(group: str, name: str) -> Path | None:
    """The code of an own member."""
    code = code_file(f"{PACKAGES[group]}.{name}") if group in PACKAGES else None
    return code if code and code.with_suffix(".yaml").is_file() else None


def use_folders_of(config: Any) -> None:
    """Use the folders that a command names, by `--config-dir` or `hydra.searchpath`.

    Args:
        config: with Hydra's own node.

    Raises:
        ConfigError: see `use_folder`.
    """
    runtime = config.hydra.runtime
    for source in runtime.config_sources:
        if source.provider in ("hydra", "main", "schema"):
            continue
        if source.schema == "file":
            use_folder(Path(runtime.cwd) / source.path)
        elif source.schema == "pkg":
            spec = importlib.util.find_spec(source.path)
            for place in (spec and spec.submodule_search_locations) or ():
                use_folder(Path(place))


def use_folder(folder: Path) -> None:
    """Look for own members in a folder too, in this process and in those that it starts.

    Raises:
        ConfigError: a file there has the name of one of ours, which would stay the one in use.
    """
    folder = folder.expanduser().absolute()
    if not folder.is_dir():
        raise ConfigError(f"a folder of own members must exist: {folder}; write another one")
    for group, package in PACKAGES.items():
        ours = _PACKAGE.parent.joinpath(*package.split("."))
        for code in sorted((folder / group).glob("*.py")):
            is_taken = (ours / code.name).exists() or (ours / code.stem / "__init__.py").exists()
            if is_taken or (shipped() / group / f"{code.stem}.yaml").exists():
                raise ConfigError(
                    f"a member of your own has a name of its own: {code} is named as one of "
                    f"{package}; rename it and its YAML"
                )
    if folder not in folders():
        os.environ[_FOLDERS] = "\n".join(map(str, [*folders(), folder]))


class _Finder:
    """Finds the modules of own members, after Python has looked for ours."""

    @staticmethod
    def find_spec(
        fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        file = code_file(fullname)
        if file is None:
            return None
        loader = _Loader(fullname, str(file))
        return importlib.util.spec_from_file_location(fullname, file, loader=loader)


class _Loader(SourceFileLoader):
    """Imports the file of an own member; its errors are a user's, and take one line."""

    def exec_module(self, module: ModuleType) -> None:
        """See `importlib.abc.Loader`.

        Raises:
            ConfigError: the file cannot be imported.
        """
        try:
            super().exec_module(module)
        except (Exception, SystemExit) as error:  # a script may end itself
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise ConfigError(f"{self.path} cannot be imported: {reason}") from error


sys.meta_path.append(_Finder)
