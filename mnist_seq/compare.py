"""Compare the variants of a sweep: `python -m mnist_seq.compare sweep=outputs/sweeps/<name>`."""

from mnist_seq.runs import stop_signals

stop_signals.while_importing(__name__, script="mnist-seq-compare")

import contextlib
import dataclasses
import functools
import hashlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from omegaconf import DictConfig, OmegaConf

from mnist_seq import command
from mnist_seq.config.errors import ConfigError, refuse
from mnist_seq.config.paths import conf_dir
from mnist_seq.report.keys import (
    command_of,
    flag,
    name_of,
    read_formats,
    read_options,
    read_spread,
    text,
)
from mnist_seq.runs import files
from mnist_seq.runs.console import say

if TYPE_CHECKING:
    import numpy as np
    from rich.console import Console

    from mnist_seq.report.options import Options
    from mnist_seq.report.read.collect import Collected
    from mnist_seq.report.value import Report
    from mnist_seq.tracking.wandb.pull import Pulled

# keys whose values have spaces, commas and '=', which must be quoted for Hydra's grammar
_QUOTED = ("sweep", "where", "baseline", "out", "check")


def run(values: Mapping[str, Any], console: "Console") -> Path:
    """Compare, print the table, write the report; or check a paper, and write nothing.

    Args:
        values: the keys of `conf/compare.yaml`.

    Returns:
        The report's folder, or the paper.

    Raises:
        ValueError: the runs cannot be compared, or not as requested.
        SystemExit: a number of the paper is not that of the runs; each is printed.
    """
    from mnist_seq.report.analyse.suite import check_one_task
    from mnist_seq.report.paper.document import Asked
    from mnist_seq.report.render.files import write
    from mnist_seq.report.render.terminal import print_report, print_written
    from mnist_seq.runs.sweep_folder import expanded

    options, formats = read_options(values), read_formats(values["formats"])
    spread, paper = read_spread(values["spread"]), _paper(values)
    left_out = ""
    if values["source"] == "wandb":
        pulled = _pulled(values, console)
        sources, left_out = pulled.paths, pulled.left_out
    else:
        sources = _sources(values["sweep"])
    if paper is not None:
        report = check_one_task(build_from(sources, options), "a check of a paper")
        _check(paper, values, report, console)
        return paper
    out = _folder_of_report(values, [expanded(source) for source in sources])
    report = build_from(sources, options)
    if flag(values, "wandb_report"):
        check_one_task(report, "a report in W&B")
    if left_out:
        report = dataclasses.replace(report, warnings=(*report.warnings, left_out))
    print_report(report, console, has_details=flag(values, "details"))
    asked = Asked(name_of(report.title, values), spread, command_of(sources, values))
    print_written(write(report, out, formats=formats, paper=asked), console)
    if flag(values, "wandb_report"):
        from mnist_seq.report.render.wandb_report import publish

        for line in publish(report, out):
            say(console, line)
    return out


def _paper(values: Mapping[str, Any]) -> Path | None:
    """The paper to check; None where a report is to be written.

    Raises:
        ConfigError: there is no such file.
    """
    from mnist_seq.runs.sweep_folder import expanded

    if (given := text(values, "check")) == "none":
        return None
    if not (paper := expanded(given)).is_file():
        raise ConfigError(f"check must be a LaTeX file that exists: check={given}; write "
                          "check=paper.tex")  # fmt: skip
    return paper


def _check(paper: Path, values: Mapping[str, Any], report: "Report", console: "Console") -> None:
    """Print the numbers of a paper that no longer are those of the runs."""
    from mnist_seq.report.paper.check import check, summary
    from mnist_seq.report.paper.numbers import numbers
    from mnist_seq.report.sections.methods import Methods

    name = name_of(report.title, values)
    checked = check(paper, name, numbers(report, Methods.of(report)))
    for line in summary(checked, paper, name):
        say(console, line)
    if checked.faults:
        raise SystemExit(1)


def build_from(sources: Sequence[Path], options: "Options") -> "Report":
    """Read runs and compare them.

    Raises:
        ValueError: they cannot be compared.
    """
    from mnist_seq.report.analyse.suite import build_report
    from mnist_seq.report.read.collect import collect

    return build_report(collect(sources), options, defaults=_defaults(), pictures=_pictures)


def _pulled(values: Mapping[str, Any], console: "Console") -> "Pulled":
    """Run folders of a W&B group; missing ones are downloaded."""
    from mnist_seq.tracking.wandb import variables
    from mnist_seq.tracking.wandb.pull import pull

    given = {key: text(values, key) for key in ("project", "entity", "group")}
    place, held = variables.place_of_pull(given)
    if held:
        say(console, f"W&B: {variables.said(held)}")
    cache = Path(text(values, "cache"))
    return pull(place["project"], place["group"], cache, entity=place["entity"])


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="compare")
def _job(cfg: DictConfig) -> None:
    with command.errors_said():
        _compare(cfg)


def _compare(cfg: DictConfig) -> None:
    from hydra.core.hydra_config import HydraConfig
    from rich.console import Console

    from mnist_seq.config.members import use_folders_of

    use_folders_of(HydraConfig.instance().cfg)  # own experiments say what papers print
    if cfg.source == "wandb" and OmegaConf.is_missing(cfg, "sweep"):
        cfg.sweep = "none"
    values = command.values_of("compare", cfg, {"sweep": "outputs/sweeps/<name>"})
    from mnist_seq.tracking.wandb.package import own_temporary_folder

    uses_wandb = cfg.source == "wandb" or cfg.wandb_report
    with own_temporary_folder() if uses_wandb else contextlib.nullcontext():
        run(values, Console())


def main() -> None:
    """Console entry: Hydra's command line, its errors in one line each."""
    stop_signals.guarded(_main, line="")


def _main() -> None:
    if {"-m", "--multirun"} & set(sys.argv[1:]):
        refuse(
            "a comparison reads sweeps and runs none; leave out -m, and name several as "
            '"sweep=[a,b]"'
        )
    command.check_folders(sys.argv[1:])
    sys.argv[1:] = [quoted(word) for word in sys.argv[1:]]
    command.run(_job, functools.partial(command.one_line, "compare"), config_name="compare")


def quoted(word: str) -> str:
    """The override with its value quoted, so that Hydra takes it as it was typed."""
    return command.quoted(word, _QUOTED)


def _sources(sweep: object) -> list[Path]:
    given = sweep if isinstance(sweep, list) else [sweep]
    if not given or not all(isinstance(path, str) and path for path in given):
        raise ConfigError(f"sweep must be a folder or a list of them: sweep={sweep}; write "
                          "sweep=outputs/sweeps/<name>")  # fmt: skip
    return [Path(str(path)) for path in given]


def _folder_of_report(values: Mapping[str, Any], sources: Sequence[Path]) -> Path:
    """Where the report goes, which is known to be possible before the work begins.

    Raises:
        ConfigError: nothing can be written there.
    """
    from mnist_seq.runs.sweep_folder import check_writable, expanded

    if values["out"] != "auto":
        out = expanded(text(values, "out"))
    else:
        is_wandb = values["source"] == "wandb"
        out = files.inside(sources[0].parent, "report") if is_wandb else _out(sources)
    if all(source.is_dir() for source in sources):  # else another error says so
        try:
            check_writable(out)
        except OSError as error:
            rule = f"a report is written into a folder, and {out} cannot be written"
            raise ConfigError(f"{rule}: {error.strerror}; write out=<another folder>") from None
    return out


def _out(sources: Sequence[Path]) -> Path:
    """The folder of the report. A comparison of several sweeps has a folder of its own."""
    first, *others = dict.fromkeys(source.resolve() for source in sources)
    if not others:
        return files.inside(sources[0], "report")
    names = "+".join(other.name for other in others)
    if len(names) > 50 or any(other.parent != first.parent for other in others):
        digest = hashlib.sha256(os.fsencode("\n".join(map(str, others)))).hexdigest()
        names = f"{names[:50]}-{digest[:8]}"
    return files.inside(sources[0], f"report-with-{names}")


def _defaults() -> dict[str, Any]:
    """The default values of `conf/train.yaml`, flat, in the form of run.json."""
    from mnist_seq.config import parse, plain
    from mnist_seq.config.hydra_errors import defaults
    from mnist_seq.runs.variants import flat

    return flat(plain(parse(defaults())))


def _pictures(collected: "Collected") -> "Callable[[Sequence[int]], np.ndarray | None]":
    """Pictures of the test set, read from the folder that the runs used; nothing is downloaded."""
    name = str(collected.runs[0].values.get("data.data", ""))
    roots = dict.fromkeys(str(run.values.get("data.root", "")) for run in collected.runs)

    def load(indexes: Sequence[int]) -> "np.ndarray | None":
        from mnist_seq.tasks import test_pictures

        return test_pictures(name, [Path(root) for root in roots], indexes)

    return load


if __name__ == "__main__":
    main()
