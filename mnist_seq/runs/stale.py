"""Checks that a folder holds the run that was asked for."""

from collections.abc import Mapping, Sequence
from typing import Any

from mnist_seq.config import Config, identity, plain
from mnist_seq.config.identity import NOT_OF_A_RESULT, left_out
from mnist_seq.runs.commands import to_train_on
from mnist_seq.runs.console import near
from mnist_seq.runs.errors import StaleRun
from mnist_seq.runs.folder import RunFolder


def check_same(folder: RunFolder, config: Config, data: Mapping[str, Any]) -> None:
    """Refuse a folder that holds another run.

    Args:
        data: the data's identity. A key that run.json lacks is not compared.

    Raises:
        StaleRun: config or data differ, and the message names the keys; or run.json is missing.
        ValueError: run.json is damaged.
    """
    if not folder.has_begun():
        return
    try:
        record = folder.record()
    except FileNotFoundError:
        raise StaleRun(
            f"{folder.path} holds a run without its {folder.record_path.name}, so that nobody can "
            "say of which config; put the file back, choose another folder (hydra.run.dir=... or "
            "sweep.name=...) or remove this one"
        ) from None
    names = []
    if record.get("config_hash") != identity(config):
        names = differing_keys(record["config"], plain(config), left_out(config))
    was = record["data"]
    names += [f"data ({key})" for key, value in data.items() if was.get(key, value) != value]
    if names:
        raise StaleRun(
            f"{folder.path} holds a run of another config, and a run folder holds one run: "
            f"{', '.join(names)} differ; {_longer(folder, record, config, names)}"
            "choose another folder (hydra.run.dir=... or sweep.name=...) or remove this one"
        )


def _longer(
    folder: RunFolder, record: Mapping[str, Any], config: Config, names: Sequence[str]
) -> str:
    """The command that trains a finished run on, where nothing but its length differs; else ""."""
    was = record["config"].get("training", {}).get("epochs")
    more = config.training.epochs - was if type(was) is int else 0
    is_alone = len(names) == 1 and names[0].startswith("training.epochs (")
    if not is_alone or more < 1 or not folder.model_path.exists():
        return ""
    return f"to train its weights on: {to_train_on(near(folder.path), more)}; or "


def differing_keys(
    a: Mapping[str, Any], b: Mapping[str, Any], left_out: Mapping[str, Any], prefix: str = ""
) -> list[str]:
    """Config keys that differ and can move a number, with both values.

    Each is written as 'model.hidden (64, now 32)'.

    Args:
        left_out: the values of keys that neither holds: `config.identity.left_out`.
    """
    found = []
    for key in [*a, *(k for k in b if k not in a)]:
        old, new = (each.get(key, left_out.get(key)) for each in (a, b))
        if f"{prefix}{key}" in NOT_OF_A_RESULT:
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += differing_keys(old, new, left_out.get(key, {}), f"{prefix}{key}.")
        elif old != new:
            found.append(f"{prefix}{key} ({old}, now {new})")
    return found
