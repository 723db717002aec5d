"""Checks Hydra's flags in one line each, and hands those of a typed line to its completion."""

import difflib
import os
import shlex
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NoReturn

from mnist_seq.config.errors import ConfigError
from mnist_seq.config.paths import conf_dir
from mnist_seq.config.words import CONFIG_FLAGS


def check_flags(words: Sequence[str], config_name: str) -> None:
    """Refuse what Hydra's parser refuses with a page of usage, or answers with another command.

    Args:
        words: of the command line.
        config_name: the command's own config, such as "train".

    Raises:
        ConfigError: names the word.
    """
    from hydra._internal.utils import get_args_parser

    parser = get_args_parser()
    setattr(parser, "error", _refuse)  # noqa: B010
    known = [flag for flag in parser._option_string_actions if flag.startswith("--")]
    for word in words:
        flag = word.partition("=")[0]
        if word.startswith("--") and not any(name.startswith(flag) for name in known):
            raise _unknown(flag, known)
    given, apart = parser.parse_known_args(list(words))
    for word in apart:
        if word.startswith("-"):
            raise _unknown(word, known)
        raise ConfigError(
            f"overrides stand in one piece, before or after the flags, and {word} stands apart; "
            "move it to the other overrides"
        )
    if given.cfg == "hydra" and given.resolve and config_name == "train":
        raise ConfigError(
            "Hydra resolves its own keys without those of the job that they name: --cfg hydra "
            "--resolve; write --cfg all --package hydra --resolve"
        )
    asked = str(given.config_name or config_name).removesuffix(".yaml")
    is_ours = (conf_dir() / f"{asked}.yaml").is_file() and given.config_path is None
    if asked != config_name and is_ours and not _is_there(given.config_dir, asked):
        raise ConfigError(
            f"--config-name must be {config_name}, or a config of your own that starts with "
            f"'defaults: [{config_name}, _self_]': {asked} is for another command"
        )


def _is_there(folder: str | None, name: str) -> bool:
    return folder is not None and os.path.isfile(os.path.join(folder, f"{name}.yaml"))


def _refuse(text: str) -> NoReturn:
    raise ConfigError(text)


def _unknown(flag: str, known: Sequence[str]) -> ConfigError:
    near = difflib.get_close_matches(flag, known, n=1)
    hint = f"did you mean {near[0]}?" if near else "--help shows what can be typed"
    return ConfigError(f"no code reads the flag {flag}; {hint}")


def with_flags_of_line(words: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """The words of the command that a shell calls for completion, with the flags of the typed line.

    Hydra reads that line for its overrides only, and so would not see a `--config-dir`.

    Args:
        environ: has the line, as `COMP_LINE`.
    """
    if not {"-sc", "--shell-completion"} & set(words) or "COMP_LINE" not in environ:
        return list(words)
    line = environ["COMP_LINE"]
    try:
        typed = shlex.split(line)
    except ValueError:  # a quote that is not closed yet
        typed = line.split()
    flags = []
    for word, following in pairwise([*typed, ""]):
        flag, equals, value = word.partition("=")
        if flag not in CONFIG_FLAGS:
            continue
        value = value if equals else following
        is_name = flag in ("--config-name", "-cn")
        if value and (is_name or os.path.isdir(value)):
            flags += [flag, value]
    return [*flags, *words]
