"""Warns of what weakens a comparison: mixed code, versions, hardware and data."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mnist_seq.report.analyse.budgets import place_of
from mnist_seq.report.analyse.grouping import Group
from mnist_seq.report.read.metric import Metric
from mnist_seq.report.read.run import Run
from mnist_seq.report.read.task_record import TaskRecord
from mnist_seq.runs.code_identity import MEMBERS, SCHEME
from mnist_seq.runs.text import plural
from mnist_seq.runs.variants import KERNEL, VariantKey, variant_key, without_kernel


def warnings_of(
    runs: Sequence[Run], groups: Sequence[Group], metric: Metric, task: TaskRecord
) -> tuple[str, ...]:
    """The warnings, one sentence each."""
    found: list[str] = []
    found += _mixed_code(runs, "the runs", ("shared", "hash", "commit", "version"))
    members = {_members(run): None for run in runs} if not found else {}
    columns = [set(names) for names in zip(*members, strict=True)]
    for names in members:
        own = [run for run in runs if _members(run) == names]
        differing = [n for n, column in zip(names, columns, strict=True) if len(column) > 1]
        whose = f"the runs of {', '.join(differing) or names[0]}"
        found += _mixed_code(own, whose, ("hash", "commit", "version"))
    dirty = sum(bool(mapping(run, "code").get("is_dirty")) for run in runs)
    if dirty:
        found.append(
            f"{dirty} of {len(runs)} runs come from code with uncommitted changes, so the commit "
            "does "
            "not tell what ran"
        )
    found += [
        f"the runs come from different {name}: {', '.join(map(str, values))}"
        for name, values in (
            ("PyTorch versions", {mapping(r, "versions").get("torch", "unknown") for r in runs}),
        )
        if len(values) > 1
    ]
    places = {place_of(run) for run in runs}
    if len(places) > 1:
        found.append(
            f"the runs come from {len(places)} kinds of hardware ({'; '.join(sorted(places))}), so "
            "seconds do not compare"
        )
    found += _mixed_kernels(runs)
    stood_in = sum(run.values.get("data.requested") != run.values.get("data.data") for run in runs)
    if stood_in:
        a, b = runs[0].values.get("data.data"), runs[0].values.get("data.requested")
        found.append(f"{a} stood in for {b}, which could not be had, in {plural(stood_in, 'run')}")
    if metric.name.startswith("valid/"):
        found.append(f"valid is for choices: a claim about new data needs metric=test/{task.main}")
    lost = [run for group in groups for run in group.finished if run.predictions is None]
    if lost:
        found.append(
            f"predictions.npz of {plural(len(lost), 'finished run')} cannot be read, such as that "
            f"of {lost[0].folder}"
        )
    return tuple(found)


def _mixed_kernels(runs: Sequence[Run]) -> list[str]:
    """A warning if runs differ in nothing but their kernel; that cells do is said with costs."""
    alike: dict[VariantKey, Counter[str]] = {}
    for run in runs:
        key = variant_key(without_kernel(run.variant))
        alike.setdefault(key, Counter())[str(run.variant.get(KERNEL, "torch"))] += 1
    kernels = sum((found for found in alike.values() if len(found) > 1), Counter[str]())
    if not kernels:
        return []
    shown = ", ".join(f"{name} ({plural(n, 'run')})" for name, n in kernels.most_common())
    return [
        f"runs that are alike come from {len(kernels)} kernels: {shown}, so their numbers differ "
        "by rounding, and seconds do not compare; device.kernel=torch trains all alike"
    ]


def _mixed_code(runs: Sequence[Run], whose: str, keys: Sequence[str]) -> list[str]:
    """A warning if runs come from different code, by the first key that they all have."""
    codes = Counter(code_of(mapping(run, "code"), *keys) or "unknown" for run in runs)
    if len(codes) < 2:
        return []
    shown = ", ".join(f"{code} ({plural(n, 'run')})" for code, n in codes.most_common())
    return [f"{whose} come from {len(codes)} versions of the code: {shown}"]


def code_of(code: Mapping[str, Any], *keys: str) -> str:
    """The identity of the code, by the first of the keys that the run has; "" if it has none."""
    found = next((str(code[key])[:12] for key in keys if code.get(key)), "")
    is_older = "hash" in code and code.get("scheme") != SCHEME
    return f"{found} of an older scheme" if found and is_older else found


def _members(run: Run) -> tuple[str, ...]:
    """Names of cell, data set, optimizer, schedule and kernel: each may have code of its own."""
    names = [str(run.variant.get(f"{group}.name", "")) for group in MEMBERS]
    return (*names, f"{KERNEL}={run.variant.get(KERNEL, 'torch')}")


def mapping(run: Run, name: str) -> Mapping[str, Any]:
    """A part of run.json; empty if it is absent."""
    value = run.record.get(name)
    return value if isinstance(value, Mapping) else {}
