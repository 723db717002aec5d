"""Config hashes of runs that exist: another hash for the same config would make them stale."""

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from mnist_seq.config import conf_dir, identity, parse, plain

# As version 0.1.0 wrote them into run.json
RECORDED = {
    "data=mnist": "5e747b5c5fe6972c",
    "data=fashion_mnist": "cc2715f186577917",
    "data=kmnist": "c3e184c2fa2987f1",
    "data=mnist_5k": "27902516737212d9",
    "data=mnist1d": "1e93d7a364077034",
    "data.sequence=permuted data.chunk=28": "13c5aed47ac1de32",
    "model=gru": "b5cdafb0cb1e8a09",
    "model=mgu": "514c87945c4fab2e",
    "optimizer=sgd": "0c8b16a2380734b6",
    "schedule=onecycle": "ee6dad09f8a2a5fb",
}


@pytest.mark.parametrize("words", RECORDED)
def test_a_config_keeps_its_hash(words: str) -> None:
    """A key that is added, or a default that changes, makes older runs stale: do it knowingly."""
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        values = OmegaConf.to_container(
            compose("train", ["device.kernel=torch", *words.split()]), resolve=True
        )
    assert isinstance(values, dict)
    config = parse({str(key): value for key, value in values.items()})
    assert identity(config).startswith(RECORDED[words])


def test_a_key_that_came_later_is_part_of_a_config_where_it_says_something() -> None:
    """A run from before the key, and one of today without it, are one variant."""
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        both = [OmegaConf.to_container(compose("train", words), resolve=True)
                for words in ([], ["training.updates=7"])]  # fmt: skip
    without, with_it = (plain(parse(values))["training"] for values in both)  # type: ignore[arg-type]
    assert "updates" not in without
    assert with_it == {**without, "updates": 7}


def test_the_keys_of_pictures_keep_their_order() -> None:
    """A variant's name lists keys in the order of the config."""
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        values = OmegaConf.to_container(compose("train"), resolve=True)
    assert isinstance(values, dict)
    data = plain(parse({str(key): value for key, value in values.items()}))["data"]
    assert list(data) == [
        "name", "root", "sequence", "chunk", "permutation", "normalize", "valid", "limit",
        "label_noise", "shift", "noise", "drop_steps",
    ]  # fmt: skip
