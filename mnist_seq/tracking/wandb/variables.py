"""The variables that users of W&B export: which ones hold here, and for what.

A variable holds where our key has its default: what a config or a command says wins. The table in
docs/wandb.md has all variables, and a test holds it to this file.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mnist_seq.runs.text import cut

# Keys of `tracker` that a variable stands for
KEYS = {"WANDB_PROJECT": "project", "WANDB_ENTITY": "entity", "WANDB_TAGS": "tags"}
_DEFAULTS: Mapping[str, Any] = {"project": "mnist_seq", "entity": "default", "tags": []}
# What else a variable says of runs, in the words of the line that tells of it
_OTHERS = {
    "WANDB_RUN_GROUP": "group",
    "WANDB_JOB_TYPE": "job type",
    "WANDB_NOTES": "notes",
    "WANDB_DIR": "files in",
    "WANDB_NAME": "name",
}
HOLDING = {**KEYS, **_OTHERS}
_OF_ONE_RUN = ("WANDB_NAME",)
# wandb itself reads these, and so they hold
OF_WANDB = (
    "WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR",
    "WANDB_HTTP_TIMEOUT", "WANDB_IDENTITY_TOKEN_FILE", "WANDB_INIT_TIMEOUT",
)  # fmt: skip
OF_MODE = ("WANDB_MODE", "WANDB_DISABLED")
# Set by `wandb agent` for the one run that it starts; nobody else's hold
OF_AGENT = ("WANDB_RUN_ID", "WANDB_SWEEP_ID")
REFUSED = (*OF_AGENT, "WANDB_RESUME")
# Settings that are always the same here
FIXED = (
    "WANDB_CONSOLE", "WANDB_DISABLE_CODE", "WANDB_DISABLE_GIT", "WANDB_LOG_MODEL", "WANDB_QUIET",
    "WANDB_SAVE_CODE", "WANDB_SILENT",
)  # fmt: skip


def holding(
    options: Mapping[str, Any], *, is_sweep: bool, given: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The variables that hold for a run, with their values.

    Args:
        options: the run's `tracker` group, which may lack keys.
        is_sweep: the run is one of a sweep.
        given: the environment; by default that of this process.
    """
    given = os.environ if given is None else given
    found = {name: given[name].strip() for name in HOLDING if given.get(name, "").strip()}
    for name, key in KEYS.items():
        if options.get(key, _DEFAULTS[key]) != _DEFAULTS[key]:
            found.pop(name, None)
    for name in _OF_ONE_RUN if is_sweep else ():
        found.pop(name, None)
    if "WANDB_DIR" in found:
        folder = Path(found["WANDB_DIR"]).expanduser().absolute()
        found["WANDB_DIR"] = str(folder)
        if given.get("WANDB_SWEEP_ID") and folder == Path.cwd():
            del found["WANDB_DIR"]  # the agent sets it, for its own files
    return found


def not_holding(*, is_sweep: bool, given: Mapping[str, str] | None = None) -> list[str]:
    """The variables that are set, and cannot hold."""
    given = os.environ if given is None else given
    names = (*_OF_ONE_RUN, *REFUSED) if is_sweep else REFUSED
    is_agents = bool(given.get("WANDB_SWEEP_ID")) and not is_sweep
    return [n for n in names if given.get(n) and not (is_agents and n in OF_AGENT)]


def notices(options: Mapping[str, Any], *, is_sweep: bool) -> list[str]:
    """What the user is told: which variables hold, and which cannot; a line each, or none."""
    held, others = holding(options, is_sweep=is_sweep), not_holding(is_sweep=is_sweep)
    lines = [f"W&B: {said(held)}"] if held else []
    if others:
        verb = "does" if len(others) == 1 else "do"
        why = (
            "runs of a sweep have names and ids of their own; the same command resumes them"
            if is_sweep
            else "a run has an id of its own; the same command resumes it"
        )
        lines.append(f"W&B: {', '.join(others)} {verb} not hold, since {why}")
    return lines


def said(held: Mapping[str, str]) -> str:
    """What variables stand for, with their values and names, in one line."""
    return ", ".join(f"{HOLDING[name]} {cut(value)} ({name})" for name, value in held.items())


def place_of_pull(values: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """Where a comparison takes runs from.

    Args:
        values: project, entity and group, as the command has them.

    Returns:
        The three, and the variables that hold in the place of a default.

    Raises:
        ConfigError: a variable's value is impossible, or nothing names the group.
    """
    from mnist_seq.config.errors import ConfigError

    check()
    options = {key: values[key] for key in ("project", "entity")}
    keys = {"WANDB_PROJECT": "project", "WANDB_ENTITY": "entity"}
    if values["group"] == "none":
        keys["WANDB_RUN_GROUP"] = "group"
    held = {n: v for n, v in holding(options, is_sweep=True).items() if n in keys}
    place = {key: str(values[key]) for key in ("project", "entity", "group")}
    place |= {keys[name]: value for name, value in held.items()}
    if place["group"] == "none":
        raise ConfigError(
            "source=wandb needs a sweep's name: group=none; write group=<name>, and project=... "
            "entity=... where they are not the defaults"
        )
    return place, held


def split_tags(tags: Any) -> tuple[str, ...]:
    """Tags as a list of them says, or the text of WANDB_TAGS, which has commas between them."""
    found = tags.split(",") if isinstance(tags, str) else tags
    return tuple(dict.fromkeys(tag for each in found if (tag := str(each).strip())))


def recorded(known: Mapping[str, Any]) -> dict[str, str]:
    """The variables that run.json says held for a run.

    Args:
        known: the entry "wandb" of run.json, which another machine or person may have written.
    """
    found = known.get("variables", {})
    found = found if isinstance(found, Mapping) else {}
    # not WANDB_DIR: a folder that somebody sent must not say where files are written
    return {n: found[n] for n in HOLDING if n != "WANDB_DIR" and isinstance(found.get(n), str)}


def check(options: Mapping[str, Any] | None = None) -> None:
    """Refuse a variable with a value that the key in its place would refuse.

    Args:
        options: a run's `tracker` group; by default that of conf/tracker/wandb.yaml.

    Raises:
        ConfigError: names the variable.
    """
    from mnist_seq.config.errors import ConfigError
    from mnist_seq.config.messages import validated
    from mnist_seq.config.schema import WandB

    if options is None:
        from mnist_seq.config.hydra_errors import defaults

        options = defaults()["tracker"]
        assert isinstance(options, Mapping)
    for name, text in holding(options, is_sweep=False).items():
        if (key := KEYS.get(name)) is None:
            continue
        value = list(split_tags(text)) if key == "tags" else text
        try:
            validated(WandB, {**options, key: value}, "tracker")
        except ConfigError as error:
            raise ConfigError(f"{error}, by {name}; unset it, or give tracker.{key}=...") from None
