"""Hashes the code that a run's numbers come from, so that a change of it is seen.

The hash is over syntax trees. Comments, docstrings, annotations, formatting and the texts of errors
are not part of it, nor are file names: the top-level statements of all files make one sorted list,
so that a function may move from one file to another.

Which files are read is a rule, not a list. It begins at `ROOT`, which trains a run, and at the
files of the members that the config chooses (its cell, its data set, its optimizer, its schedule).
It follows every import whose name is used, those inside functions too, within the rooms of `ROOMS`.
Not followed are
- imports that only annotations use;
- other rooms. They plan, record, show and compare; of `config`, whose values have a hash of their
  own in run.json, only a definition that is imported by its name counts, such as a constant;
- files named in `WITHOUT_NUMBERS`, each for its reason.

The files of a user's own member count as if they lay in our folders: `config.members` finds them.

Files are read here, and none of them is imported: `runs` knows their names, not what they do. A
member that a config does not choose is read only where a file imports it. So a new cell makes no
older run stale. The hash means something only beside its `SCHEME`: raise that number when the rule
changes.
"""

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import mnist_seq
from mnist_seq.config import Config, members
from mnist_seq.runs.syntax import Imported, Source, read

SCHEME = 2  # 1, which run.json does not name: the bytes of all files of four rooms

ROOT = "training.run"
ROOMS = ("tasks", "models", "training", "native")
# What computes the native step. It counts for runs with device.kernel=native alone, and so do the
# bytes of its C++
NATIVE = "training.loop.native"
MEMBERS = {  # config group -> folder of its members
    "model": "models.cells",
    "data": "tasks",
    "optimizer": "training.optimizers",
    "schedule": "training.schedules",
}
WITHOUT_NUMBERS = {  # a module, or a folder of modules -> why
    "models.counting": "counts what a model costs",
    "training.preflight": "refuses a config, or solves a size that the config then holds",
    "training.batched.errors": "ends a run or refuses it",
    "training.batched.sizing": "decides how many runs fit into memory",
    "training.checkpoint_check": "refuses a checkpoint",
    "training.job": "names a run, and records that it has failed",
    "training.memory": "estimates memory, and recognises an error",
    "training.loop.flat": "warns",
    "training.loop.interruption": "decides when a run stops; a resumed run has the same numbers",
    "training.diagnostics": "measures a run; not part of its identity in the config either",
    "tasks.sources.containers": "brings files, whose checksums are known",
    "tasks.sources.download": "brings files, whose checksums are known",
    "tasks.sources.idx_files": "finds files, and compares their checksums",
    "tasks.sources.nearby": "brings files, whose checksums are known",
    "tasks.sources.published": "names files and their checksums",
    "tasks.sources.torchvision_compat": "brings files, whose checksums are known",
    "tasks.images.drawing": "draws examples for people",
}


def describe(config: Config) -> dict[str, Any]:
    """What run.json says of a run's code: the scheme, and the hash with and without members."""
    return {"scheme": SCHEME, "shared": code_hash(), "hash": code_hash(config)}


def code_hash(config: Config | None = None) -> str:
    """SHA-256 (hex) of the code that a config's numbers come from.

    Without a config: of the code that all runs share, no member included.
    """
    return _hash_of(() if config is None else _members(config))


def difference(recorded: Mapping[str, Any], config: Config) -> str:
    """How a run's code differs from the code as it is now; "" where it does not.

    Args:
        recorded: `code` of the run's run.json.
    """
    if recorded.get("scheme") != SCHEME:
        return "code of an older scheme"
    was, now = str(recorded["hash"]), code_hash(config)
    return "" if was == now else f"code {was[:8]}, now {now[:8]}"


def modules_of(config: Config | None = None) -> list[str]:
    """Names of the modules that `code_hash` reads."""
    return _closure(() if config is None else _members(config))


def remember() -> None:
    """Read all code now, so that later answers are about what this process has imported."""
    for room in ROOMS:
        for path in (_package() / room).rglob("*.py"):
            _text(".".join(path.relative_to(_package().parent).with_suffix("").parts))
    _hash_of(())


def _members(config: Config) -> tuple[str, ...]:
    named = [f"mnist_seq.{f}.{getattr(config, kind).name}" for kind, f in MEMBERS.items()]
    named += [f"mnist_seq.{NATIVE}"] * (config.device.kernel == "native")
    return tuple(name for name in named if _text(name) is not None)


@functools.cache
def _hash_of(members: tuple[str, ...]) -> str:
    statements, names = list[str](), set[str]()
    for module in _closure(members):
        statements += _source(module).statements
        for imported in _used_imports(module):
            names |= _words_of(imported)
    if f"mnist_seq.{NATIVE}" in members:
        names |= _compiled()
    text = "\n".join([*sorted(statements), *sorted(names)])
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def _compiled() -> set[str]:
    """The C++ of the native step, as digests of its files."""
    files = sorted((_package() / "native" / "source").iterdir())
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.is_file()}


def _closure(members: tuple[str, ...]) -> list[str]:
    """Names of the modules that count: the root, members, and what they import."""
    to_read, seen = [f"mnist_seq.{ROOT}", *members], set[str]()
    while to_read:
        name = to_read.pop()
        if name not in seen and _counts(name, is_native=f"mnist_seq.{NATIVE}" in members):
            seen.add(name)
            to_read += map(_target, _used_imports(name))
    return sorted(seen)


def _counts(name: str, *, is_native: bool) -> bool:
    parts = name.split(".")
    is_in_room = parts[0] == "mnist_seq" and len(parts) > 1 and parts[1] in ROOMS
    enclosing = {".".join(parts[1:end]) for end in range(2, len(parts) + 1)}
    left_out = WITHOUT_NUMBERS.keys() | (set() if is_native else {NATIVE, "native"})
    return is_in_room and not left_out & enclosing and _text(name) is not None


def _used_imports(name: str) -> list[Imported]:
    source = _source(name)
    is_package = _file(name).name == "__init__.py"
    used = source.used | {"*"}
    return [
        replace(imported, module=_absolute(imported.module, name, is_package))
        for imported in source.imports
        if is_package or imported.bound in used  # a package's names are used by others
    ]


def _absolute(module: str, name: str, is_package: bool) -> str:
    """A module that a file names, with the leading dots of a relative import resolved."""
    inner = module.lstrip(".")
    level = len(module) - len(inner) - is_package
    parts = name.split(".")
    folder = parts[: len(parts) - max(level, 0)] if module != inner else []
    return ".".join([*folder, *inner.split(".")]).rstrip(".")


def _target(imported: Imported) -> str:
    inner = f"{imported.module}.{imported.name}"
    is_module = imported.module.startswith("mnist_seq") and _text(inner) is not None
    return inner if is_module else imported.module


def _words_of(imported: Imported) -> set[str]:
    """What an import adds to the hash, beside the code of the module that it names."""
    module, name, bound = imported.module, imported.name, imported.bound
    if module.partition(".")[0] != "mnist_seq":
        return {f"import {module} {name} as {bound}"}
    found = {f"{name} as {bound}"} if name and bound != name else set()
    if module.startswith("mnist_seq.config"):
        found |= _definition(module, name)
    return found


def _definition(module: str, name: str) -> set[str]:
    """What defines a name, also where an `__init__` has it from elsewhere."""
    source = _source(module)
    if name in source.defined:
        return {source.defined[name]}
    origin = next((x for x in source.imports if x.bound == name and x.name), None)
    return set() if origin is None else _definition(origin.module, origin.name)


def _source(name: str) -> Source:
    return read(_text(name) or "")


@functools.cache
def _text(name: str) -> str | None:
    """A module's source; None where there is no such module."""
    try:
        return _file(name).read_bytes().decode()
    except FileNotFoundError:
        return None


def _file(name: str) -> Path:
    path = _package().parent.joinpath(*name.split("."))
    ours = path / "__init__.py" if path.is_dir() else path.with_name(f"{path.name}.py")
    own = None if ours.is_file() else members.code_file(name)
    return own or ours


@functools.cache
def _package() -> Path:
    return Path(mnist_seq.__file__).resolve().parent
