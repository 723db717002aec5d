"""Reads pictures with a trained run: `python -m mnist_seq.predict run=<folder> images=<png>`."""

from mnist_seq.runs import stop_signals

stop_signals.while_importing(__name__, script="mnist-seq-predict")

import functools
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from omegaconf import DictConfig

from mnist_seq import command
from mnist_seq.config.errors import ConfigError, refuse
from mnist_seq.config.paths import conf_dir
from mnist_seq.runs import files
from mnist_seq.runs.console import cell, near, say
from mnist_seq.runs.text import plural

if TYPE_CHECKING:
    import numpy as np
    from rich.console import Console

    from mnist_seq.trained.files import Given
    from mnist_seq.trained.predictions import Predictions

NUM_SHOWN = 40  # rows of the table
NUM_DRAWN = 64  # pictures of the sheet
_NUM_RANKED = 3
_CHOICES = {
    "ground": ("auto", "white", "black"),
    "fit": ("none", "mnist"),
}
_QUOTED = ("run", "images", "out")


def run(values: Mapping[str, Any], console: "Console") -> "Predictions":
    """Read the pictures, and print and draw what the net says.

    Args:
        values: the keys of `conf/predict.yaml`.

    Raises:
        ValueError: there is no such run or picture, or it is none that the run reads.
    """
    for key, known in _CHOICES.items():
        if values[key] not in known:
            raise ConfigError(f"{key} must be one of {', '.join(known)}: {key}={values[key]}")
    which = values["which"]
    if type(which) is not int and which not in ("tested", "best", "last"):
        raise ConfigError(
            f"which must be tested, best, last or the step of weights that the run keeps: "
            f"which={which}"
        )
    folder, paths = _path("run", values["run"]), _paths(values["images"])
    out = _out(values["out"], folder)
    from mnist_seq.trained.files import read
    from mnist_seq.trained.reading import Reading
    from mnist_seq.trained.run import load_run

    loaded = load_run(folder)
    reading = Reading(loaded.config)
    is_of_pictures = reading.is_picture and len(reading.shape) == 2
    if not is_of_pictures and any(path.suffix not in (".npz", ".npy") for path in paths):
        raise ConfigError(
            f"this run reads {reading.task.noun} of {list(reading.shape)} "
            f"(data={reading.task.name}), and pictures are none; give a .npz or .npy"
        )
    if values["fit"] == "mnist" and (reading.shape != (28, 28) or paths[0].suffix[:3] == ".np"):
        raise ConfigError("fit=mnist cuts digits out of picture files, for runs on 28 x 28 pixels")
    if values["fit"] == "mnist" and values["ground"] == "auto":
        raise ConfigError("fit=mnist cuts out the ink: say which it is, ground=white (black ink on "
                          "white) or ground=black (white on black)")  # fmt: skip
    given = read(paths, reading.shape, fit=values["fit"], is_white=values["ground"] == "white")
    found = loaded.predict(given.examples, which=which, ground=values["ground"])
    inverted = ", inverted" if values["ground"] == "white" else ""
    fitted = ", cut out and centred as MNIST's" if values["fit"] == "mnist" else ""
    say(
        console,
        f"{plural(len(found), reading.task.noun.removesuffix('s'))} of {reading.described()}"
        f"{fitted}{inverted}; by "
        f"{loaded.run.record['name']} in {near(folder)}",
    )
    _show(found, given, console)
    if out is not None and found.pictures is not None and found.is_one_class_each:
        _draw(found, given, out)
        say(console, f"what was read: {near(out)}")
    return found


def _show(found: "Predictions", given: "Given", console: "Console") -> None:
    """A table, and the share of right answers where labels are known."""
    from rich.table import Table

    if not found.is_one_class_each:
        for name, answer in list(zip(given.names, found.answers, strict=True))[:NUM_SHOWN]:
            say(console, f"{name}: {' '.join(map(str, answer.ravel().tolist()))}")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    heads = ["example", "answer", "sure", "else"] + ["label"] * (given.labels is not None)
    for head in heads:
        table.add_column(cell(head), justify="right" if head == "sure" else "left",
                         no_wrap=head != "else", overflow="fold")  # fmt: skip
    for row in range(min(len(found), NUM_SHOWN)):
        (answer, sure), *others = found.ranked(row, _NUM_RANKED)
        rest = ", ".join(f"{name} {_percent(p)}" for name, p in others if p >= 0.005)
        words = [given.names[row], answer, _percent(sure), rest or "-"]
        if given.labels is not None:
            label = int(given.labels[row])
            is_right = label == int(found.answers[row])
            words.append(f"{label}" if is_right else f"{label}, wrong")
        table.add_row(*map(cell, words))
    console.print(table)
    if len(found) > NUM_SHOWN:
        say(console, f"and {len(found) - NUM_SHOWN} more")
    if given.labels is not None:
        right = int((found.answers == given.labels).sum())
        say(console, f"{right} of {len(found)} are as labelled: {100 * right / len(found):.2f} %")


def _draw(found: "Predictions", given: "Given", out: Path) -> None:
    import io

    from mnist_seq.trained import sheet

    assert found.pictures is not None
    rows = range(min(len(found), NUM_DRAWN))
    ranked = [found.ranked(row, _NUM_RANKED) for row in rows]
    lines = [[f"{name}  {_percent(p)}" for name, p in of] + [given.names[row]]
             for row, of in zip(rows, ranked, strict=True)]  # fmt: skip
    shares = [[p for _, p in of] + [math.nan] for of in ranked]
    buffer = io.BytesIO()
    sheet.draw(found.pictures[:NUM_DRAWN], lines, shares=shares).save(buffer, "PNG")
    files.write_bytes(out, buffer.getvalue())


def _percent(share: "float | np.floating[Any]") -> str:
    """A probability; never 100 % of what is not certain."""
    return ">99.9 %" if share > 0.9995 else f"{100 * share:.1f} %"


def _path(key: str, value: object) -> Path:
    from mnist_seq.runs.sweep_folder import expanded

    if not isinstance(value, str) or not value:
        raise ConfigError(f"{key} must be a path: {key}={value}")
    return expanded(value)


def _paths(value: object) -> list[Path]:
    given: list[Any] = value if isinstance(value, list) else [value]
    if not given:
        raise ConfigError("images must name a picture: images=[]; write images=<a png or a folder>")
    return [_path("images", each) for each in given]


def _out(value: object, folder: Path) -> Path | None:
    """Where the picture goes; None for nowhere."""
    if value == "none":
        return None
    out = files.inside(folder, "predicted.png") if value == "auto" else _path("out", value)
    if out.suffix != ".png":
        raise ConfigError(f"out must be a .png: out={value}; write out=predicted.png")
    if value != "auto" and not out.parent.is_dir():
        raise ConfigError(f"out must be in a folder that exists: out={value}; make {out.parent}")
    return out


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="predict")
def _job(cfg: DictConfig) -> None:
    with command.errors_said():
        _predict(cfg)


def _predict(cfg: DictConfig) -> None:
    from mnist_seq.runs.console import QuietConsole

    needed = {"run": "outputs/runs/<date>", "images": "<a png, an npz or a folder>"}
    values = command.values_of("predict", cfg, needed)
    run(values, QuietConsole())


def main() -> None:
    """Console entry: Hydra's command line, its errors in one line each."""
    stop_signals.guarded(_main, line="")


def _main() -> None:
    if {"-m", "--multirun"} & set(sys.argv[1:]):
        refuse(
            'a prediction reads one run; leave out -m, and name several pictures as "images=[a,b]"'
        )
    command.check_folders(sys.argv[1:], key="run")
    sys.argv[1:] = [command.quoted(word, _QUOTED) for word in sys.argv[1:]]
    command.run(_job, functools.partial(command.one_line, "predict"), config_name="predict")


if __name__ == "__main__":
    main()
