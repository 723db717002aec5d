"""A model group's option as its YAML stands, without Hydra: what sizes are measured against."""

from typing import Any

from mnist_seq.config.paths import conf_dir
from mnist_seq.config.schema import Model, schema_of


def default_model(name: str, **changes: Any) -> Model:
    """The model of `conf/model/<name>.yaml`, with some values changed.

    Raises:
        KeyError: there is no such option.
    """
    from omegaconf import OmegaConf

    schema = schema_of("model", name)
    values: dict[str, Any] = {}
    for path in (conf_dir() / "base" / "model.yaml", conf_dir() / "model" / f"{name}.yaml"):
        loaded = OmegaConf.to_container(OmegaConf.load(path))
        assert isinstance(loaded, dict)
        values |= {str(key): value for key, value in loaded.items()}
    del values["defaults"]
    model = schema.model_validate(values | changes)
    assert isinstance(model, Model)
    return model
