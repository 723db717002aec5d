"""Reads an option of a group from its YAML, without Hydra; for sizes of reference and tests."""

from typing import Any

from mnist_seq.config.members import file_of
from mnist_seq.config.schema import Data, Group, Model, schema_of


def default_option(group: str, name: str, /, **changes: Any) -> Group:
    """The keys of `conf/<group>/<name>.yaml`, with some values changed.

    Raises:
        KeyError: there is no such option.
    """
    schema = schema_of(group, name)
    return schema.model_validate(_values(group, name) | changes)


def default_model(name: str, **changes: Any) -> Model:
    """An option of `model=`; see `default_option`."""
    model = default_option("model", name, **changes)
    assert isinstance(model, Model)
    return model


def default_data(name: str, **changes: Any) -> Data:
    """An option of `data=`; see `default_option`."""
    data = default_option("data", name, **changes)
    assert isinstance(data, Data)
    return data


def _values(folder: str, name: str) -> dict[str, Any]:
    """The keys of a YAML and of those that its defaults list names, in that list's order."""
    from omegaconf import OmegaConf

    loaded = OmegaConf.to_container(OmegaConf.load(file_of(folder, name)), resolve=True)
    assert isinstance(loaded, dict)
    own = {str(key): value for key, value in loaded.items()}
    values: dict[str, Any] = {}
    for item in own.pop("defaults", ["_self_"]):
        base = str(item).partition("@")[0].strip("/").rpartition("/")
        values |= own if item == "_self_" else _values(base[0], base[2])
    return values
