"""Compare the variants of a sweep: `python -m mnist_seq.compare sweep=outputs/sweeps/<name>`."""

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from omegaconf import DictConfig, OmegaConf

from mnist_seq.config.errors import ConfigError
from mnist_seq.config.paths import conf_dir

if TYPE_CHECKING:
    import numpy as np
    from rich.console import Console

    from mnist_seq.report.build import Options
    from mnist_seq.report.collect import Collected
    from mnist_seq.report.value import Report

_IS_DEBUG = os.environ.get("HYDRA_FULL_ERROR") == "1"  # as the user set it, tracebacks and all
# Their values hold spaces, commas and '=', which Hydra's grammar takes for its own unless quoted
_QUOTED = ("sweep", "where", "baseline", "out")
_CHOICES = {
    "test": ("t", "permutation"),
    "correction": ("holm", "bh", "none"),
    "duplicates": ("refuse", "first"),
    "source": ("folders", "wandb"),
}
_FORMATS = ("html", "markdown", "csv", "figures")


def run(values: Mapping[str, Any], console: "Console") -> Path:
    """Compare, print the table, write the report.

    Args:
        values: the keys of `conf/compare.yaml`.

    Returns:
        The report's folder.

    Raises:
        ValueError: the runs cannot be compared, or not as asked.
    """
    from mnist_seq.report.files import write
    from mnist_seq.report.terminal import print_report

    options, formats = read_options(values), _formats(values["formats"])
    sources = _pulled(values) if values["source"] == "wandb" else _sources(values["sweep"])
    report = build_from(sources, options)
    home = sources[0].parent if values["source"] == "wandb" else sources[0]
    out = home / "report" if values["out"] == "auto" else Path(str(values["out"]))
    print_report(report, console)
    written = write(report, out, formats=formats)
    lines = [f"written: {path}" for path in written]
    if _flag(values, "wandb_report"):
        from mnist_seq.report.wandb_report import publish

        lines += publish(report, out)
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return out


def build_from(sources: Sequence[Path], options: "Options") -> "Report":
    """Read runs and compare them.

    Raises:
        ValueError: they cannot be compared.
    """
    from mnist_seq.report.build import build
    from mnist_seq.report.collect import collect

    collected = collect(sources)
    return build(collected, options, defaults=_defaults(), images=_pictures(collected))


def _pulled(values: Mapping[str, Any]) -> list[Path]:
    """Run folders of a W&B group, brought here where they are not here yet."""
    from mnist_seq.tracking.pull import pull

    project, group = str(values["project"]), str(values["group"])
    if group == "none":
        raise ConfigError(
            "source=wandb needs a sweep's name: group=none; write group=<name>, and project=... "
            "entity=... where they are not the defaults"
        )
    return pull(project, group, Path(str(values["cache"])), entity=str(values["entity"]))


def print_summary(folder: Path, console: "Console") -> None:
    """Print the verdict table of a sweep, as every sweep does at its end; nothing is written.

    Raises:
        ValueError: the runs cannot be compared.
    """
    from mnist_seq.report.build import Options, build
    from mnist_seq.report.collect import collect
    from mnist_seq.report.terminal import print_table

    report = build(collect([folder]), Options(), defaults=_defaults(), is_table_only=True)
    print_table(report, console)


def read_options(values: Mapping[str, Any]) -> "Options":
    """Check the keys of `conf/compare.yaml` that say how to compare.

    Raises:
        ConfigError: a wrong type or an unknown choice.
    """
    from mnist_seq.report.build import Options

    for key, choices in _CHOICES.items():
        if values[key] not in choices:
            raise ConfigError(f"{key} must be one of {', '.join(choices)}: {key}={values[key]}")
    thresholds = values["thresholds"]
    if not isinstance(thresholds, list) or not all(_is_number(t) and 0 < t < 1 for t in thresholds):
        raise ConfigError(
            f"thresholds must be a list of accuracies as fractions: thresholds={thresholds}; write "
            "thresholds=[0.97,0.98]"
        )
    margin = values["margin"]
    if margin != "none" and not _is_number(margin):
        raise ConfigError(f"margin must be none or a number: margin={margin}; write margin=0.1")
    for key in ("level", "alpha"):
        if not _is_number(values[key]):
            raise ConfigError(f"{key} must be a number: {key}={values[key]}; write {key}=0.05, say")
    return Options(
        baseline=str(values["baseline"]),
        where=str(values["where"]),
        metric=str(values["metric"]),
        level=float(values["level"]),
        alpha=float(values["alpha"]),
        margin=None if margin == "none" else float(margin),
        test=values["test"],
        correction=values["correction"],
        wilcoxon=_flag(values, "wilcoxon"),
        duplicates=values["duplicates"],
        thresholds=tuple(float(t) for t in thresholds),
    )


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="compare")
def _job(cfg: DictConfig) -> None:
    try:
        _compare(cfg)
    except (ValueError, OSError) as error:  # here: Hydra would print the overrides before it
        if _IS_DEBUG:
            raise
        _refuse(str(error))


def _compare(cfg: DictConfig) -> None:
    from rich.console import Console

    if cfg.source == "wandb" and OmegaConf.is_missing(cfg, "sweep"):
        cfg.sweep = "none"
    missing = sorted(OmegaConf.missing_keys(cfg))
    if missing:
        raise ConfigError(
            f"{missing[0]} must be given: {missing[0]}=???; write "
            f"{missing[0]}=outputs/sweeps/<name>"
        )
    values = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(values, dict)
    if added := [str(key) for key in values if key not in _keys()]:
        raise ConfigError(_unknown(added[0]))
    run({str(key): value for key, value in values.items()}, Console())


def main() -> None:
    """Console entry: Hydra's command line, its errors in one line each."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    if {"-m", "--multirun"} & set(sys.argv[1:]):
        _refuse(
            "a comparison reads sweeps and runs none; leave out -m, and name several as sweep=[a,b]"
        )
    sys.argv[1:] = [quoted(word) for word in sys.argv[1:]]
    if _IS_DEBUG:
        _job()
        return
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises, and we say it in one line
    try:
        _job()
    except (HydraException, OmegaConfBaseException) as error:
        _refuse(_one_line(error))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None


def quoted(word: str) -> str:
    """An override whose value Hydra's grammar takes as it was typed."""
    key, equals, value = word.partition("=")
    if not equals or key not in _QUOTED or value[:1] in ("'", '"', "["):
        return word
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{key}='{escaped}'"


def _sources(sweep: object) -> list[Path]:
    given = sweep if isinstance(sweep, list) else [sweep]
    if not given or not all(isinstance(path, str) and path for path in given):
        raise ConfigError(f"sweep must be a folder or a list of them: sweep={sweep}; write "
                          "sweep=outputs/sweeps/<name>")  # fmt: skip
    return [Path(str(path)) for path in given]


def _formats(formats: object) -> Sequence[str]:
    if not isinstance(formats, list) or not formats or not set(formats) <= set(_FORMATS):
        raise ConfigError(f"formats must be a list of {', '.join(_FORMATS)}: formats={formats}; "
                          "write formats=[html,csv]")  # fmt: skip
    return formats


def _defaults() -> dict[str, Any]:
    """What makes a variant in `conf/train.yaml` as it stands, as run.json would hold it."""
    from mnist_seq.config.hydra_errors import defaults
    from mnist_seq.config.parse import parse, plain
    from mnist_seq.runs.variants import flat

    return flat(plain(parse(defaults())))


def _pictures(collected: "Collected") -> "Callable[[Sequence[int]], np.ndarray | None]":
    """Pictures of the runs' test set, read where the runs found it; nothing is downloaded."""
    name = str(collected.runs[0].values.get("data.data", ""))
    roots = dict.fromkeys(str(run.values.get("data.root", "")) for run in collected.runs)

    def load(indexes: Sequence[int]) -> "np.ndarray | None":
        from mnist_seq.data.pictures import test_pictures

        return test_pictures(name, [Path(root) for root in roots], indexes)

    return load


def _flag(values: Mapping[str, Any], key: str) -> bool:
    if not isinstance(values[key], bool):
        raise ConfigError(f"{key} must be true or false: {key}={values[key]}")
    return bool(values[key])


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _keys() -> list[str]:
    known = [str(key) for key in OmegaConf.load(conf_dir() / "compare.yaml")]
    return [key for key in known if key not in ("defaults", "hydra")]


def _unknown(key: str) -> str:
    from mnist_seq.config.parse import suggestion

    keys = _keys()
    return f"no code reads {key}" + (suggestion(key, keys) or f"; the keys are {', '.join(keys)}")


def _one_line(error: Exception) -> str:
    from mnist_seq.config import hydra_errors

    text = str(error)
    if match := re.search(r"Could not (?:override|find|append[^']*) '([^']+)'", text):
        return _unknown(match[1])
    if match := re.search(r"Ambiguous value for argument '([^']+)'", text):
        key = match[1].partition("=")[0]
        return f"several values are a list in brackets: {match[1]}; write {key}=[a,b]"
    return hydra_errors.one_line(error)


def _refuse(text: str) -> None:
    print(f"mnist_seq: {text}", file=sys.stderr, flush=True)
    raise SystemExit(1)


if __name__ == "__main__":
    main()
