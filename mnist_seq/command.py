"""Runs the main function of a command under Hydra, and prints each error in one line."""

import contextlib
import functools
import os
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from mnist_seq.config.errors import ConfigError, refuse, said
from mnist_seq.config.paths import conf_dir, with_keys_of_choices
from mnist_seq.runs import stop_signals

_NO_MEMORY = re.compile("failed to map segment|[Cc]annot allocate memory")
_UNDECODED = re.compile("[\ud800-\udfff]")
# of torch: whether tensors of 2 MiB and more lie in pages of 2 MiB, where Linux has such
LARGE_PAGES = "THP_MEM_ALLOC_ENABLE"
IS_DEBUG = os.environ.get("HYDRA_FULL_ERROR") == "1"  # then the user wants tracebacks


def use_large_pages(setting: str = "/sys/kernel/mm/transparent_hugepage/enabled") -> None:
    """Have torch use large pages, here and in processes that start later, unless the user chose."""
    with contextlib.suppress(OSError):  # a system without them
        if "[never]" not in Path(setting).read_text(encoding="utf-8"):
            os.environ.setdefault(LARGE_PAGES, "1")  # torch reads it at its first tensor


def run(
    job: Callable[[], object], explain: Callable[[Exception], str], *, config_name: str = "train"
) -> None:
    """Run a main function that `hydra.main` has wrapped.

    Args:
        explain: error of Hydra -> its line.
        config_name: the command's own config.

    Raises:
        SystemExit: the command failed; the error is printed.
        Stopped: a stop signal came.
    """
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    from mnist_seq.config import commented
    from mnist_seq.config.flags import check_flags, with_flags_of_line
    from mnist_seq.config.hydra_errors import check_hydra_words
    from mnist_seq.runs.console import accept_all_characters, open_closed_streams, silence
    from mnist_seq.runs.errors import RunFailed

    open_closed_streams()
    accept_all_characters()
    OmegaConf.register_new_resolver("mnist_seq.options", commented.options_text, replace=True)
    OmegaConf.register_new_resolver("mnist_seq.keys", commented.help_text, replace=True)
    encoding = sys.getfilesystemencoding()
    for word in sys.argv[1:]:
        if encoding != "utf-8" and _UNDECODED.search(word):
            refuse(
                f"a command is text in the locale's encoding, {encoding}: {word!a}; set "
                "LC_ALL=C.UTF-8 for other characters"
            )
    _check_here(encoding)
    check_secrets(sys.argv[1:])
    sys.argv[1:] = with_flags_of_line(sys.argv[1:], os.environ)
    sys.argv[1:] = with_keys_of_choices(sys.argv[1:])
    if IS_DEBUG:
        job()
        return
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises instead of printing; we print one line
    try:
        check_flags(sys.argv[1:], config_name)
        check_hydra_words(sys.argv[1:])
        _run_or_stop(job)
    except (HydraException, OmegaConfBaseException) as error:
        refuse(explain(error))
    except YAMLError as error:
        refuse(f"a config is written in YAML: {' '.join(str(error).split())}; mend that file")
    except BrokenPipeError:  # the reader of the output is gone, as in `... | head`
        silence()
        raise SystemExit(1) from None
    except (ValueError, OSError, RuntimeError) as error:
        is_known = isinstance(error, ValueError | OSError | RunFailed)
        if not is_known and not str(error).startswith("Invalid plugin"):  # hydra.*._target_
            raise
        refuse(explain(error))
    except (MemoryError, ImportError) as error:
        # the import of torch fails in these ways under a memory limit such as `ulimit -v`
        if isinstance(error, ImportError) and not _NO_MEMORY.search(str(error)):
            raise
        refuse(f"this process is given too little memory: {str(error) or type(error).__name__}")


def _run_or_stop(job: Callable[[], object]) -> None:
    try:
        job()
    except BaseException:
        stop_signals.check()
        raise


def check_secrets(words: Sequence[str]) -> None:
    """Refuse a key of W&B or of another service as an override: configs are written to disk."""
    from mnist_seq.config.secrets import check_words

    try:
        check_words(words)
    except ConfigError as error:
        refuse(str(error))


def _check_here(encoding: str) -> None:
    """Refuse a working directory whose name cannot be written to the files of a run."""
    try:
        here = os.getcwd()
    except OSError:
        refuse("a command works in a folder that exists: the current one was removed; cd elsewhere")
    if _UNDECODED.search(here):
        refuse(
            f"a folder's name is text in the locale's encoding, {encoding}: {here!a}; set "
            "LC_ALL=C.UTF-8, or work elsewhere"
        )


@contextlib.contextmanager
def errors_said() -> Iterator[None]:
    """Print errors of the job inside the job; outside, Hydra would print the overrides first."""
    try:
        yield
    except (ValueError, OSError) as error:
        if IS_DEBUG:
            raise
        refuse(said(error))


def check_folders(words: Sequence[str], *, key: str = "sweep") -> None:
    """Refuse a folder that is typed without its key, which Hydra cannot parse.

    Args:
        key: that takes a folder.

    Raises:
        SystemExit: after a line that says how to write it.
    """
    for before, word in pairwise(["", *words]):
        is_value = "=" in word or word.startswith("-") or before.startswith("-")
        if not is_value and os.path.isdir(os.path.expanduser(word)):
            refuse(f"a {key}'s folder is the value of a key: {word}; write {key}={word}")


def quoted(word: str, keys: Collection[str]) -> str:
    """The override with its value quoted, so that Hydra takes it as it was typed.

    Args:
        keys: keys whose values are paths or filters, with spaces, commas and '='.
    """
    key, equals, value = word.partition("=")
    if not equals or key not in keys or value[:1] in ("'", '"', "["):
        return word
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{key}='{escaped}'"


@functools.cache
def keys_of(config_name: str) -> tuple[str, ...]:
    """The keys of a config without groups."""
    known = map(str, OmegaConf.load(conf_dir() / f"{config_name}.yaml"))
    return tuple(key for key in known if key not in ("defaults", "hydra"))


def unknown_key(config_name: str, key: str) -> str:
    """The error text for a key that the config lacks."""
    from mnist_seq.config.messages import suggestion

    keys = keys_of(config_name)
    return f"no code reads {key}" + (suggestion(key, keys) or f"; the keys are {', '.join(keys)}")


def values_of(config_name: str, cfg: DictConfig, needed: Mapping[str, str]) -> dict[str, Any]:
    """The keys of a config without groups, resolved.

    Args:
        needed: the keys that have no default, each with an example of its value.

    Raises:
        ConfigError: a key has no value, or no code reads it; says which.
    """
    if missing := OmegaConf.missing_keys(cfg):
        key = next((key for key in needed if key in missing), min(missing))
        raise ConfigError(
            f"{key} must be given: {key}=???; write {key}={needed.get(key, '<value>')}"
        )
    found = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(found, dict)
    values = {str(key): value for key, value in found.items()}
    check_keys(config_name, values)
    return values


def check_keys(config_name: str, values: Mapping[str, Any]) -> None:
    """Refuse a config without groups that has keys too many or too few.

    Raises:
        ConfigError: names the key.
    """
    known = keys_of(config_name)
    for key in values:
        if key not in known:
            raise ConfigError(unknown_key(config_name, key))
    for key in known:
        if values.get(key, "???") == "???":
            raise ConfigError(f"{key} must be given; write {key}=<value>")


def one_line(config_name: str, error: Exception) -> str:
    """The line for an error of Hydra about a config without groups."""
    from mnist_seq.config import hydra_errors

    text = said(error)
    if match := re.search(r"Could not (?:override|find|append[^']*) '([^']+)'", text):
        return unknown_key(config_name, match[1])
    if match := re.search(r"Ambiguous value for argument '([^']+)'", text):
        key = match[1].partition("=")[0]
        return f"several values are a list in brackets: {match[1]}; write {key}=[a,b]"
    return hydra_errors.one_line(error)
