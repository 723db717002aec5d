"""Whether a run fits into memory, asked before anything of it is built."""

import contextlib
import functools
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import torch

from mnist_seq.config import Config, ConfigError
from mnist_seq.config.schema import Model
from mnist_seq.tasks import Spec, task_of
from mnist_seq.training.preflight.count import unseeded
from mnist_seq.training.preflight.optimizer import traits

FLOAT = 4  # bytes
# Files of what a container may take, and of what it has taken: cgroup 2 and 1
_CGROUPS = {
    Path("/sys/fs/cgroup"): ("memory.max", "memory.current"),
    Path("/sys/fs/cgroup/memory"): ("memory.limit_in_bytes", "memory.usage_in_bytes"),
}


def check_memory(config: Config) -> None:
    """Refuse a run that cannot fit into this machine's memory.

    What is reckoned is the least that a run needs: weights, gradients and the optimizer's averages,
    and what each time step of a batch leaves for the backward pass. A GPU counts its own memory.

    Raises:
        ConfigError: names the key to be made smaller.
    """
    free = available()
    model, training = config.model, config.training
    task = task_of(config.data)
    time_steps = task.spec.time_steps
    num_params, num_kept = _sizes(model, task.spec)
    num_copies = 2 + traits(config.optimizer).num_averages
    weights = num_params * num_copies * FLOAT
    if weights > free:
        size = f"model.hidden={model.hidden} model.layers={model.layers}"
        size += f" model.params={model.params}" if model.params != "any" else ""
        size += f" model.match={model.match}" if model.match != "none" else ""
        raise ConfigError(
            f"a run must fit into memory: {size} is {num_params:,} parameters, {num_copies} times "
            f"{_gib(num_params * FLOAT)} with gradients and averages, of {_gib(free)} that are "
            "free; choose a smaller model"
        )
    if config.device.name not in ("auto", "cpu"):
        return
    is_cut = training.tbptt != "none" and model.readout == "last"
    back = min(time_steps, training.tbptt) if is_cut else time_steps
    passes = {
        "training.batch_size": (task.num_train, back * num_kept),
        # Layer by layer: an evaluation keeps the outputs of one
        "training.eval_batch_size": (task.num_test, time_steps * num_kept // model.layers),
    }
    for key, (num_examples, num_floats) in passes.items():
        batch_size = getattr(training, key.partition(".")[2])
        need = min(batch_size, num_examples) * num_floats * FLOAT
        if need > free:
            raise ConfigError(
                f"a batch must fit into memory: {key}={batch_size} keeps {_gib(need)} or more of "
                f"{time_steps} time steps, of {_gib(free)} that are free; choose {key}=64"
            )


def available() -> int:
    """Bytes that this process may still take, by the machine, its container and its own limit."""
    return max(0, min(_amounts()))


def _amounts() -> Iterator[int]:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        amounts = {line.partition(":")[0]: int(line.split()[1]) * 1024 for line in lines}
        yield amounts["MemAvailable"] + amounts.get("SwapFree", 0)
    except (OSError, ValueError, KeyError, IndexError):  # not Linux
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for folder, (most, taken) in _CGROUPS.items():
        with contextlib.suppress(OSError, ValueError, KeyError):  # no such container, or "max"
            yield int((folder / most).read_text()) - _held(folder, taken)
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        num_pages = 0
        with contextlib.suppress(OSError):  # not Linux
            num_pages = int(Path("/proc/self/statm").read_text().split()[0])
        yield limit - num_pages * resource.getpagesize()


def _held(folder: Path, taken: str) -> int:
    """What a container has taken, without the files that its kernel keeps and would drop."""
    lines = (folder / "memory.stat").read_text().splitlines()
    amounts = {name: int(num) for name, num in map(str.split, lines)}
    cached = amounts["active_file"] + amounts["inactive_file"]
    return int((folder / taken).read_text()) - cached


@functools.cache
def _sizes(model: Model, spec: Spec) -> tuple[int, int]:
    """Parameters, and floats that one time step of one example leaves: inputs to gates, outputs."""
    with torch.device("meta"):
        classifier = unseeded(model, spec)
    named = list(classifier.named_parameters())
    to_gates = [p.shape[0] for name, p in named if "weight_ih" in name]
    return sum(p.numel() for _, p in named), sum(to_gates) + len(to_gates) * model.hidden


def _gib(num_bytes: int) -> str:
    return f"{num_bytes / 2**30:,.1f} GiB"
