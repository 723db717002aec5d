"""Finds runs of a sweep's folder that the plan lacks, and that cannot be compared with its runs."""

from collections.abc import Sequence

from mnist_seq.runs.folder import RunFolder
from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.runs.text import plural
from mnist_seq.runs.variants import Flat, flat, task_keys, typed
from mnist_seq.sweep.plan.planner import PlannedRun

ALL = "all"  # the filter of `compare` that keeps every run


def runs_to_compare(folder: SweepFolder, planned: Sequence[PlannedRun]) -> tuple[str, str]:
    """The filter of `compare` that keeps the planned runs, and a notice on the others.

    Both are "all" and "" where all runs of the folder can be compared.
    """
    paths = {run.folder.path for run in planned}
    others = [values for run in folder.runs() if run.path not in paths and (values := _values(run))]
    if not others:
        return ALL, ""
    from mnist_seq.report.read.select import BUDGET_KEYS

    own = [run.variant.flat for run in planned]
    wanted = {}
    for key in (*task_keys([*own, *others]), *BUDGET_KEYS):
        texts = {_text(values, key) for values in own}
        if len(texts) == 1 and texts != {""} and {_text(values, key) for values in others} != texts:
            wanted[key] = texts.pop()
    if not wanted:
        return ALL, ""
    num = sum(any(_text(values, key) != text for key, text in wanted.items()) for values in others)
    where = " ".join(f"{key}={text}" for key, text in wanted.items())
    notice = (
        f"the folder also holds {plural(num, 'run')} of another setting, which cannot be compared "
        f"with these; where='{where}' leaves them out"
    )
    return where, notice


def _values(run: RunFolder) -> Flat | None:
    try:
        return flat(run.record()["config"])
    except (ValueError, KeyError, TypeError, OSError, AttributeError):
        return None


def _text(values: Flat, key: str) -> str:
    return typed(values[key]) if key in values else ""
