"""Types and ranges of every config key, one file for each group; the values are in `conf/`.

`schema_of` finds the class of an option by a rule. A new option needs no edit here unless its keys
need more than the type of their value in the YAML.
"""

import functools
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field, create_model

from mnist_seq.config.members import file_of
from mnist_seq.config.paths import conf_dir, options
from mnist_seq.config.schema.any_model import MAX_HIDDEN, Model, WithBias, WithInit
from mnist_seq.config.schema.data import Data, Images, Stream, Tokens
from mnist_seq.config.schema.device import Device
from mnist_seq.config.schema.model import (
    GRU,
    HGRN,
    LEM,
    LMU,
    LRU,
    LSTM,
    MLSTM,
    RGLRU,
    RNN,
    S4D,
    SLSTM,
    SSD,
    TCN,
    GatedDelta,
    Mamba,
    MinGRU,
    Transformer,
)
from mnist_seq.config.schema.optimizer import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    NAdam,
    Optimizer,
    RMSprop,
)
from mnist_seq.config.schema.schedule import Cosine, OneCycle, Schedule, Step
from mnist_seq.config.schema.sweep import Ablation, Sweep
from mnist_seq.config.schema.tracker import Tracker, WandB
from mnist_seq.config.schema.training import Training
from mnist_seq.config.schema.types import NAMED, Finite, Group

__all__ = [
    "CHOSEN", "GRU", "HGRN", "LEM", "LMU", "LRU", "LSTM", "MAX_HIDDEN", "MLSTM", "RGLRU", "RNN",
    "S4D", "SGD", "SLSTM", "SSD", "TCN", "Ablation", "Adadelta", "Adagrad", "Adam", "Config",
    "Cosine", "Data", "Device", "Finite", "GatedDelta", "Group", "Images", "Mamba", "MinGRU",
    "Model", "NAdam", "OneCycle", "Optimizer", "RMSprop", "Schedule", "Step", "Stream", "Sweep",
    "Tokens", "Tracker", "Training", "Transformer", "WandB", "WithBias", "WithInit", "schema_of",
    "schemas",
]  # fmt: skip


class Config(Group):
    """The whole config of one run.

    Attributes:
        ways_to_tell: `config.changed`, which imports this module: what a config changes.
    """

    ways_to_tell: ClassVar[list[Callable[["Config"], dict[str, Any]]]] = []

    seed: Annotated[int, Field(ge=0, lt=2**63)]
    arm: Annotated[str, Field(min_length=1, max_length=200), *NAMED]
    model: Model
    data: Data
    optimizer: Optimizer
    schedule: Schedule
    device: Device
    tracker: Tracker
    training: Training
    sweep: Sweep

    def __repr__(self) -> str:
        """What differs from the defaults: `compose("model=gru", "model.hidden=32")`."""
        if (found := self._changed()) is None:
            return super().__repr__()
        return f"compose({', '.join(repr(f'{key}={value}') for key, value in found.items())})"

    def _repr_markdown_(self) -> str:
        """For a notebook: what differs from the defaults, and below it all keys, folded."""
        from omegaconf import OmegaConf

        dumped = self.model_dump(serialize_as_any=True)
        root, here = Path(dumped["data"]["root"]), Path.cwd()
        if root.is_relative_to(here):  # no folder of this machine in a notebook that is shared
            dumped["data"]["root"] = str(root.relative_to(here))
        values = OmegaConf.create(dumped)
        whole = f"```yaml\n{OmegaConf.to_yaml(values)}```"
        if (found := self._changed()) is None:
            return whole
        lines = "".join(f"{key}: {value}\n" for key, value in found.items())
        title = "differs from conf/train.yaml and the options" if found else "differs in nothing"
        folded = f"<details><summary>All keys</summary>\n\n{whole}\n\n</details>"
        return f"```yaml\n# {title}\n{lines}```\n\n{folded}"

    def _changed(self) -> dict[str, Any] | None:
        """What differs from the defaults; None for options that are not in `conf/`."""
        from hydra.errors import HydraException

        if not Config.ways_to_tell:
            return None
        try:
            return Config.ways_to_tell[0](self)
        except (HydraException, ValueError, KeyError):  # an option of somebody's own folder
            return None


# groups with options to choose from; each with the class that all its options share
CHOSEN: dict[str, type[Group]] = {
    group: field.annotation
    for group, field in Config.model_fields.items()
    if isinstance(field.annotation, type) and (conf_dir() / group).is_dir()
}


def schemas(group: str) -> list[type[Group]]:
    """All classes of a group, from its file in this package."""
    module = importlib.import_module(f"{__name__}.{group}")
    base = CHOSEN[group]
    return [c for c in vars(module).values() if isinstance(c, type) and issubclass(c, base)]


@functools.cache  # making a class takes 2 ms, and a plan of 300 runs calls this 1,800 times
def schema_of(group: str, name: str) -> type[Group]:
    """The class that types an option's keys.

    It is the class of the group's file whose `option_names` has the option. Without one, it is the
    class named after the base YAML that the option builds on (`/base/images` is `Images`), else the
    group's own class; further keys take the type of their value in the option's YAML.

    Raises:
        KeyError: the group has no such option.
    """
    for schema in schemas(group):
        if name in vars(schema).get("option_names", ()):
            return schema
    if name not in options(group):
        raise KeyError(name)
    from omegaconf import OmegaConf

    values = OmegaConf.to_container(OmegaConf.load(file_of(group, name)))
    assert isinstance(values, dict)
    base = _base_of(group, values.pop("defaults", []))
    own: dict[str, Any] = {
        str(key): (Finite if isinstance(value, float) else type(value), ...)
        for key, value in values.items()
        if key not in base.model_fields
    }
    if not own:
        return base
    made: type[Group] = create_model(f"{group}/{name}", __base__=base, **own)
    # pickled by its group and name, because no module has such a class
    setattr(made, "__reduce_ex__", lambda self, _: (_restored, (group, name, dict(self))))  # noqa: B010
    return made


def _restored(group: str, name: str, values: dict[str, Any]) -> Group:
    """Unpickle values that another process has checked."""
    return schema_of(group, name).model_construct(**values)


def _base_of(group: str, defaults: list[Any]) -> type[Group]:
    """The class of the base YAML in an option's defaults list, or the group's own."""
    stems = [str(item).partition("@")[0].rpartition("/")[2].replace("_", "") for item in defaults]
    named = {schema.__name__.lower(): schema for schema in schemas(group)}
    return next((named[stem] for stem in stems if stem in named), CHOSEN[group])
