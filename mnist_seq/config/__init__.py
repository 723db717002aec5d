"""Types and checks of every setting: schemas of all config groups, parsing, messages."""

from mnist_seq.config.changed import changed
from mnist_seq.config.errors import ConfigError
from mnist_seq.config.identity import identity, plain
from mnist_seq.config.parse import parse
from mnist_seq.config.paths import conf_dir
from mnist_seq.config.schema import Config

Config.ways_to_tell[:] = [changed]  # of the notebook

__all__ = ["Config", "ConfigError", "conf_dir", "identity", "parse", "plain"]
