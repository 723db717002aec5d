"""report.json: every number of a report, for programs. docs/report_json.md says what it holds."""

import dataclasses
import json
import math
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from mnist_seq.config.text import in_one_line
from mnist_seq.report.columns import columns
from mnist_seq.report.texts import headline, words
from mnist_seq.report.value import Report, Variant

FORMAT = 1  # raised when a key is taken away, or means something else
_TOLD = ("variants", "runs", "parts", "tasks")  # of the value, which have a form of their own here


def render(report: Report) -> str:
    """The report as JSON; a number that does not exist is null."""
    return json.dumps(_plain(_values(report)), indent=1, allow_nan=False) + "\n"


def _values(report: Report) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "mnist_seq": version("mnist-seq"),
        **{
            field.name: getattr(report, field.name)
            for field in dataclasses.fields(report)
            if field.name not in _TOLD
        },
        "headline": list(headline.headline(report)),
        "variants": [_variant(report, v) for v in report.variants],
        "sections": report.parts,
        "tasks": {task: _values(own) for task, own in report.tasks.items()},
    }


def _variant(report: Report, v: Variant) -> dict[str, Any]:
    """A variant: the columns of report.csv, its settings, and its runs."""
    return {
        **{column.name: column.get(v) for column in columns(report) if column.is_in_files},
        "key": v.key,
        "label": words.labels(report)[v.key],
        "verdict": words.verdict(v),
        "baseline_key": v.baseline,
        "settings": v.factors,
        "pairs_by_seed": dict(v.pairs),
        "runs": [
            {name: value for name, value in dataclasses.asdict(run).items() if name != "variant"}
            for run in report.runs
            if run.variant == v.key
        ],
    }


def _plain(value: Any) -> Any:
    """A value in what JSON has; texts in one line, as in all renderings."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str | Path):
        return in_one_line(str(value))
    if isinstance(value, Mapping):
        return {in_one_line(_name(key)): _plain(own) for key, own in value.items()}
    if dataclasses.is_dataclass(value):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return _plain({name: own for name, own in fields.items() if not callable(own)})
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(own) for own in value]
    return in_one_line(str(value))


def _name(key: object) -> str:
    return " ".join(map(str, key)) if isinstance(key, tuple) else str(key)
