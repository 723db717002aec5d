"""Keys of Hydra's launcher and sweeper plugins that have another name here."""

import sys
from collections.abc import Sequence

from mnist_seq.config.paths import conf_dir
from mnist_seq.config.words import key_of

_WORKERS = "hydra.launcher.workers"
_NAMES = {
    "n_jobs": _WORKERS,
    "max_workers": _WORKERS,
    "array_parallelism": _WORKERS,
    "max_batch_size": _WORKERS,
    "study_name": "sweep.name",
    "search_space": "hydra.sweeper.search",
    "timeout": "sweep.timeout",
    "ray": "hydra.launcher.init",
}
# Of submitit's executors; those of Slurm alone have a prefix
_OF_SUBMITIT = {"timeout_min", "cpus_per_task", "gpus_per_node", "tasks_per_node", "mem_gb",
                "nodes", "name", "stderr_to_stdout"}  # fmt: skip
_OF_SLURM = {"partition", "account", "qos", "constraint", "exclude", "gres", "comment", "time",
             "cpus_per_gpu", "gpus_per_task", "mem_per_gpu", "mem_per_cpu", "mail_type",
             "mail_user", "signal_delay_s", "setup", "srun_args",
             "additional_parameters"}  # fmt: skip


def chosen_option(kind: str) -> str:
    """The sweeper or launcher of the typed command.

    Args:
        kind: "sweeper" or "launcher".
    """
    words = [word.lstrip("+") for word in sys.argv[1:]]
    typed = [word.partition("=")[2] for word in words if word.startswith(f"hydra/{kind}=")]
    return typed[-1] if typed else {"sweeper": "mnist_seq", "launcher": "pool"}[kind]


def keys_of_another(kind: str, words: Sequence[str]) -> set[str]:
    """Keys that belong to an option which the command replaces by typing another one.

    An experiment may hold the settings of the search that it chooses, and the command may choose a
    grid over it.

    Args:
        kind: "sweeper" or "launcher".
        words: overrides of Hydra's own keys. Keys among them are the command's own.
    """
    from omegaconf import OmegaConf

    typed = set(map(key_of, words))
    if f"hydra/{kind}" not in typed:
        return set()
    files = (conf_dir() / "hydra" / kind).glob("*.yaml")
    known = {str(key) for file in files for key in OmegaConf.load(file)}
    prefix = f"hydra.{kind}."
    return known - {key.removeprefix(prefix).partition(".")[0] for key in typed}


def unknown_key(key: str, option: str) -> str:
    """The error text for a key that a sweeper or launcher lacks; "" if the option is not ours.

    Args:
        key: such as `hydra.launcher.partition`.
        option: such as `submitit_slurm`.
    """
    from omegaconf import OmegaConf

    _, kind, last = key.split(".", 2)
    path = conf_dir() / "hydra" / kind / f"{option}.yaml"
    if not path.is_file():
        return ""
    known = [str(k) for k in OmegaConf.load(path) if k not in ("_target_", "engine", "cluster")]
    text = f"no code reads {key}"
    if "parameters" in known and last.removeprefix("slurm_") in _OF_SUBMITIT | _OF_SLURM:
        name = last if last.startswith("slurm_") or last in _OF_SUBMITIT else f"slurm_{last}"
        return f"{text}; write ++hydra.launcher.parameters.{name}=<value>"
    if last in _NAMES and _NAMES[last] != key:
        return f"{text}; write {_NAMES[last]}=<value>"
    keys = ", ".join(f"hydra.{kind}.{name}" for name in known)
    return f"{text}; the keys of hydra/{kind}={option} are {keys}"
