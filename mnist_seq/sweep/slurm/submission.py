"""The parameters of a sweep's jobs, checked before the first one is submitted."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_seq.config import ConfigError

if TYPE_CHECKING:
    import submitit

LEAST_S = 30  # seconds of a job before Slurm's early signal; Python alone takes 5 to 10 to start
SOONER_S = 60  # by which Slurm may send that signal sooner than asked (sbatch(1), --signal)
_KEYS = "hydra.launcher.parameters"
_TIMEOUT_MIN, _SIGNAL_DELAY_S = 5, 90  # submitit's own
_OF_MANY_PROCESSES = ("nodes", "ntasks", "tasks_per_node", "ntasks_per_node")
# sbatch would start each job several times, or wait for its end
_OF_THE_LAUNCHER = {
    "array": "each run would train several times",
    "wait": "the command waits by itself, unless hydra.launcher.detach=true",
}
_TIME = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")  # of sbatch(1), --time
_PREFIX = re.compile(r"^sbatch: (error: )?", re.M)


def executor_of(
    folder: Path, parameters: Mapping[str, Any], *, name: str, python: str
) -> "submitit.AutoExecutor":
    """submitit's executor for Slurm.

    Args:
        folder: where submitit keeps its own files.
        parameters: of `Executor.update_parameters`, such as `timeout_min`.
        name: name of the jobs in `squeue`, unless the parameters give one.
        python: command that starts Python in a job; "" is this process's own.

    Raises:
        ConfigError: this machine has no Slurm, or a parameter is wrong for submitit.
    """
    import submitit

    own = {"name": name, **parameters}
    given = own.get("slurm_additional_parameters") or {}
    # a job that Slurm queues again by itself would train unwatched, beside the one that we submit
    own["slurm_additional_parameters"] = {**given, "no-requeue": True}
    try:
        command = {"slurm_python": python} if python else {}
        executor = submitit.AutoExecutor(folder=folder, cluster="slurm", **command)
        executor.update_parameters(**own)
    except Exception as error:  # NameError: an unknown parameter; AssertionError: a wrong type
        raise ConfigError(
            f"hydra/launcher=submitit_slurm cannot work here: {_said(error, parameters)}; "
            "hydra/launcher=pool runs on this machine"
        ) from None
    return executor


def check(parameters: Mapping[str, Any]) -> None:
    """Refuse parameters that submitit takes, and with which no run can work.

    Raises:
        ConfigError: names the parameter.
    """
    more = parameters.get("slurm_additional_parameters") or {}
    if not isinstance(more, Mapping):
        raise ConfigError(
            f"{_KEYS}.slurm_additional_parameters must be keys of sbatch and their values: {more}"
        )
    odd = [key for key in more if str(key).replace("_", "-") in ("requeue", "no-requeue")]
    if odd:
        raise ConfigError(
            f"a job that Slurm stops is submitted again by hydra.launcher.resubmit: "
            f"{_KEYS}.slurm_additional_parameters.{odd[0]}={more[odd[0]]}; leave it out"
        )
    for key, value in {**parameters, **more}.items():
        name = str(key).removeprefix("slurm_").replace("-", "_")
        if name in _OF_MANY_PROCESSES and value != 1:
            raise ConfigError(
                f"a job is one process: {_KEYS} has {key}={value}; leave it out: "
                "hydra.launcher.runs_per_job lets a job train several runs"
            )
        if name in _OF_THE_LAUNCHER:
            raise ConfigError(
                f"{_KEYS} must not have {key}={value}: {_OF_THE_LAUNCHER[name]}; leave it out"
            )
        if name in ("setup", "srun_args") and isinstance(value, str):
            raise ConfigError(
                f"{_KEYS}.{key} must be a list: {value}; write '++{_KEYS}.{key}=[\"{value}\"]'"
            )
    for key in ("gpus_per_node", "slurm_gpus_per_node"):
        value = parameters.get(key)
        if isinstance(value, str):
            kind, _, num = value.partition(":")
            raise ConfigError(
                f"{_KEYS}.{key} must be a number: {value}; for a type of GPU write "
                f"~{_KEYS}.{key} ++{_KEYS}.slurm_gres=gpu:{kind}:{num or 1}"
            )
    key, minutes, ahead = _limit(parameters)
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in (minutes, ahead)):
        return  # submitit says what it wants
    if minutes * 60 - ahead - SOONER_S < LEAST_S:
        raise ConfigError(
            f"a job needs {LEAST_S} s or more before Slurm's early signal: "
            f"{_KEYS}.{key}={minutes:g} is {minutes * 60:g} s, and the signal comes "
            f"{ahead:g} s before its end, or up to {SOONER_S} s sooner; raise {key}, or "
            f"lower it with ++{_KEYS}.slurm_signal_delay_s=<seconds>"
        )


def _limit(parameters: Mapping[str, Any]) -> tuple[str, Any, Any]:
    """The key of a job's limit, its minutes, and seconds before its end to the signal."""
    more = parameters.get("slurm_additional_parameters") or {}
    given = {"slurm_additional_parameters.time": more.get("time"), "slurm_time": None, **parameters}
    keys = ("slurm_additional_parameters.time", "slurm_time")  # the first one wins
    key = next((key for key in keys if given[key] is not None), "timeout_min")
    minutes = given.get(key, _TIMEOUT_MIN)
    if isinstance(minutes, str):
        minutes = _minutes(minutes)
    return key, minutes, parameters.get("slurm_signal_delay_s", _SIGNAL_DELAY_S)


def _minutes(text: str) -> float | str:
    """A time limit in sbatch's words, such as 1-12:00:00 or 90, in minutes; itself if unclear."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return text
    days, *rest = [int(part) if part else 0 for part in found.groups()]
    if not found[1] and not found[4]:  # minutes:seconds
        rest = [0, *rest[:2]]
    hours, minutes, seconds = rest
    return ((days * 24 + hours) * 60 + minutes) + seconds / 60


def seconds_until_signal(parameters: Mapping[str, Any]) -> float:
    """Seconds of a job until Slurm's signal; infinite for a limit in Slurm's own words."""
    _, minutes, ahead = _limit(parameters)
    return minutes * 60 - ahead if isinstance(minutes, int | float) else math.inf


def in_a_line(text: str) -> str:
    """What sbatch or submitit says, in one line."""
    lines = dict.fromkeys(line.strip() for line in _PREFIX.sub("", text).splitlines())
    kept = [line.rstrip(".") for line in lines if line and not set(line) <= set("-=")]
    return "; ".join(kept)[:500] or "no reason"


def _said(error: Exception, parameters: Mapping[str, Any]) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, AssertionError) or not text:
        return f"a parameter has the wrong type: {dict(parameters)} {text}".rstrip()
    return text
