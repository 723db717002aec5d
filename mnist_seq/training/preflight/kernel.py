"""Chooses what computes the steps of a run: torch's kernels, or a step compiled for this CPU.

It reads configs alone: a plan, which asks for every variant, has no need of torch.
"""

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from mnist_seq import native
from mnist_seq.config import Config, ConfigError
from mnist_seq.config.members import file_of
from mnist_seq.config.messages import shown
from mnist_seq.config.schema import Model
from mnist_seq.native.layout import RULES
from mnist_seq.runs.folder import RunFolder
from mnist_seq.tasks import task_of
from mnist_seq.training.preflight.gpus import num_gpus
from mnist_seq.training.preflight.layers import check_layers

Kernel = Literal["torch", "native"]

_WAY_OUT = (  # a resume never changes kernels
    "choose device.kernel=torch; a run that has begun natively then begins anew: in another "
    "folder, or in a sweep with sweep.stale=rerun"
)


class Choice(NamedTuple):
    """What computes the steps of a run, and why not the native step ("" where it does)."""

    kernel: Kernel
    why: str = ""


def with_kernel(config: Config, kernel: Kernel) -> Config:
    """The config of a run whose steps are computed so."""
    device = config.device.model_copy(update={"kernel": kernel})
    return config.model_copy(update={"device": device})


def settled(config: Config, folder: RunFolder) -> tuple[Config, str]:
    """The config of a run in a folder with its kernel chosen, and a line that says the choice.

    A run that has begun keeps its kernel. The line is "" where the config leaves nothing open.
    """
    if config.device.kernel != "auto":
        return config, ""
    if recorded := recorded_kernel(folder):
        return with_kernel(config, recorded), ""
    choice = choose(config)
    return with_kernel(config, choice.kernel), in_words({choice: 1})


def recorded_kernel(folder: RunFolder) -> Kernel | None:
    """The kernel of the run that has begun in a folder; None where none has."""
    try:
        return kernel_in(folder.record()["config"])
    except (ValueError, KeyError, TypeError, AttributeError, OSError):
        return None


def kernel_in(config: Mapping[str, Any]) -> Kernel:
    """The kernel in the config of a run.json, which says nothing where it is torch."""
    return "native" if config["device"].get("kernel") == "native" else "torch"


def choose(config: Config) -> Choice:
    """The native step where it applies and there is one, else torch."""
    why = why_not_native(config) or _why_none_here(config)
    return Choice("torch", why) if why else Choice("native")


def in_words(choices: dict[Choice, int], *, of: str = "runs") -> str:
    """A line on what `device.kernel=auto` has chosen.

    Args:
        choices: to the number of runs.
        of: the word for these.
    """
    num_native = sum(num for choice, num in choices.items() if choice.kernel == "native")
    total = sum(choices.values())
    reasons = list(dict.fromkeys(choice.why for choice in choices if choice.why))
    if not reasons:
        return "device.kernel=auto: steps compiled for this CPU (native)"
    more = f" (and {len(reasons) - 1} more reasons)" if len(reasons) > 1 else ""
    if not num_native:
        return f"device.kernel=auto: torch, since {reasons[0]}{more}"
    return (
        f"device.kernel=auto: native in {num_native} of {total} {of}, torch in the others, since "
        f"{reasons[0]}{more}"
    )


def check_kernel(config: Config) -> None:
    """Refuse native steps where they do not apply or cannot be had; they are compiled here.

    Raises:
        ConfigError: says why.
    """
    if config.device.kernel != "native":
        return
    if why := why_not_native(config) or _why_none_here(config):
        raise ConfigError(f"device.kernel=native cannot train this run: {why}; {_WAY_OUT}")


def why_not_native(config: Config) -> str:
    """Why the native step does not compute what a config asks for; "" where it does."""
    model, training, device = config.model, config.training, config.device
    spec = task_of(config.data).spec
    is_on_gpu = device.name not in ("cpu", "auto") or (device.name == "auto" and num_gpus() > 0)
    is_own = model.name not in getattr(type(model), "option_names", ())
    has_cell = model.native_cell() and model.block == "none" and not is_own
    of_device = {
        f"device={device.name} is no CPU": is_on_gpu,
        f"device.precision={device.precision} is not fp32": device.precision != "fp32",
    }
    whole_step = {
        f"data={config.data.name} asks for more than one class a sequence": (
            spec.output != "class" or spec.per_step
        ),
        f"data={config.data.name} has sequences of several lengths": spec.varied,
        f"data={config.data.name} embeds tokens": bool(spec.embedding),
        f"training.tbptt={training.tbptt} cuts gradients": training.tbptt != "none",
        f"model.readout={model.readout} is neither last nor mean": (
            model.readout not in ("last", "mean")
        ),
        "model.bidirectional=true reads both ways": model.bidirectional,
        f"model.below={list(model.below)} has layers of unequal widths": bool(model.below),
        f"model.projection={model.projection} is before the recurrent layers": bool(
            model.projection
        ),
        f"model.readout_norm={model.readout_norm} is before the head": model.readout_norm != "none",
        f"model.head={list(model.head)} has hidden layers": bool(model.head),
        f"model.dropout_at={model.dropout_at} drops nothing before the head": (
            bool(model.dropout) and model.dropout_at != "all"
        ),
        f"training.freeze={training.freeze} keeps weights": bool(training.freeze),
        f"training.clip_value={training.clip_value} clips by value": (
            not math.isinf(training.clip_value)
        ),
        "training.train_accuracy=true reads the answers of each step": training.train_accuracy,
        f"{_of_optimizer(config)} has no native form": not _has_rule(config),
        f"{'' if has_cell else _of_cell(model, is_own=is_own)} has no native form": not has_cell,
    }
    # native layers are parts of torch's step, whatever else is in it
    has_layers = model.has_native_layers and not is_own
    found = of_device if has_layers else of_device | whole_step
    return next((text for text, is_so in found.items() if is_so), "")


def _has_rule(config: Config) -> bool:
    optimizer = config.optimizer
    return optimizer.name in RULES and not getattr(optimizer, "amsgrad", False)


def _of_optimizer(config: Config) -> str:
    name = config.optimizer.name
    return "optimizer.amsgrad=true" if name in RULES else f"optimizer={name}"


def _of_cell(model: Model, *, is_own: bool) -> str:
    """The key without which a cell has a native form, or the cell itself."""
    from omegaconf import OmegaConf

    if is_own:
        return f"this model={model.name}"
    if model.native_cell():
        return f"model.block={model.block}"
    default = OmegaConf.load(file_of("model", model.name))
    first = {key: OmegaConf.select(default, key) for key in model.options()}
    as_is = model.model_copy(update=first)
    for key, value in model.options().items():
        changed = as_is.model_copy(update={key: value})
        if as_is.native_cell() and not changed.native_cell():
            return f"model.{key}={shown(value)}"
    return f"this model={model.name}"


def _why_none_here(config: Config) -> str:
    try:
        library = native.library()
        if config.model.has_native_layers:
            check_layers(library, with_kernel(config, "native"))
    except native.Unavailable as error:
        return str(error)
    return ""
