"""Records what a sweep plans before its first run, so that its verdicts hold what they say."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mnist_seq.config import ConfigError
from mnist_seq.config.schema import Sweep
from mnist_seq.report.read.planned import (
    Mode,
    PlannedArm,
    SweepPlan,
    comparisons,
    covered,
    declared_margin,
    plans_of,
)
from mnist_seq.runs.provenance import commit
from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.runs.text import plural
from mnist_seq.runs.variants import (
    BaselineRule,
    flat,
    naming_keys,
    task_name,
    title,
    variant_key,
)
from mnist_seq.sweep.plan.planner import Plan, PlannedRun


def plans_for(
    plan: Plan, options: Sweep, *, defaults: Mapping[str, Any], mode: Mode
) -> dict[str, SweepPlan]:
    """The plan of each task of a sweep, as it is recorded and judged: a family of its own.

    Args:
        defaults: values of `conf/train.yaml` without overrides, which say what a baseline is.

    Raises:
        ConfigError: several tasks are asked for what is only there for one, the sweep has another
            margin already, or plan.json is damaged.
    """
    tasks: dict[str, list[PlannedRun]] = {}
    for run in plan.runs:
        tasks.setdefault(task_name(run.variant.flat), []).append(run)
    asked = "sweep.until=decided" if mode == "anytime" else f"sweep.margin={options.margin}"
    if len(tasks) > 1 and (mode == "anytime" or options.margin != "none"):
        raise ConfigError(
            f"{asked} goes by the metric of one task, and this sweep has {', '.join(tasks)}; leave "
            f"it out, or give each task a sweep of its own: data={next(iter(tasks))}"
        )
    found = {
        task: _plan_of(runs, options, defaults=defaults, mode=mode) for task, runs in tasks.items()
    }
    return {task: _in_its_sweep(plan.folder, own) for task, own in found.items()}


def _plan_of(
    runs: Sequence[PlannedRun], options: Sweep, *, defaults: Mapping[str, Any], mode: Mode
) -> SweepPlan:
    from mnist_seq.training.preflight.task import check_task

    arms = arms_of(runs, defaults=defaults)
    num_seeds = max(len(arm.runs) for arm in arms)
    is_fixed = mode == "fixed"
    return SweepPlan(
        mode=mode,
        metric=f"test/{check_task(runs[0].config).main}",
        margin=None if options.margin == "none" else options.margin,
        first_seeds=num_seeds if is_fixed else options.first_seeds,
        max_seeds=num_seeds if is_fixed else options.max_seeds,
        arms={arm.name: arm for arm in arms},
        commit=commit(),
    )


def arms_of(runs: Sequence[PlannedRun], *, defaults: Mapping[str, Any]) -> list[PlannedArm]:
    """The variants of planned runs, each with its baseline among them."""
    groups: dict[Any, list[PlannedRun]] = {}
    for run in runs:
        groups.setdefault(run.variant.key, []).append(run)
    variants = {key: members[0].variant.flat for key, members in groups.items()}
    keys = naming_keys(variants.values())
    names = {key: title(variant, keys) for key, variant in variants.items()}
    rule = BaselineRule(variants.values(), defaults=flat(defaults))
    arms = []
    for key, members in groups.items():
        base = rule.find(variants[key])
        arms.append(
            PlannedArm(
                name=names[key],
                baseline="" if base is None else names[variant_key(base)],
                runs={run.config.seed: run.name for run in members},
                ended=sum(run.action == "reuse" for run in members),
            )
        )
    return arms


def record_plans(folder: SweepFolder, plans: Iterable[SweepPlan]) -> None:
    """Write the first plan of each task, or append one that asks for more or for something else.

    Raises:
        ConfigError: plan.json is damaged.
    """
    for plan in plans:
        _record_plan(folder, plan)


def _in_its_sweep(folder: SweepFolder, plan: SweepPlan) -> SweepPlan:
    """A plan with the margin and the other comparisons that earlier commands of its sweep declared.

    Raises:
        ConfigError: it asks for another margin, or plan.json is damaged.
    """
    known = _of_its_task(folder, plan)
    declared, own = declared_margin(known), covered([plan])
    if declared is not None and plan.margin not in (None, declared):
        raise ConfigError(
            f"sweep.margin is declared once for a sweep, and {folder.path.name} has {declared:g}: "
            f"sweep.margin={plan.margin:g}; leave it out, and read another one with compare "
            f"margin={plan.margin:g}"
        )
    margin = plan.margin if declared is None else declared
    num_others = sum(not runs & own for runs in comparisons(known))
    return replace(plan, margin=margin, num_others=num_others)


def planned_text(folder: SweepFolder, plans: Mapping[str, SweepPlan]) -> list[str]:
    """What the verdicts will be, and how that differs from the sweep's first plan, in lines."""
    return [*judged_by(plans), *(text for own in plans.values() for text in _changes(folder, own))]


def _changes(folder: SweepFolder, plan: SweepPlan) -> list[str]:
    """How a plan differs from that of the sweep's first runs, where verdicts depend on it."""
    known = [p for p in _of_its_task(folder, plan) if p.record() != plan.record()]
    if not known:
        return []
    found = []
    if declared_margin(known) is None and plan.margin is not None:
        found.append(
            f"sweep.margin={plan.margin:g} comes after the sweep began: it was not declared before "
            "the first run, and the report says so"
        )
    num = len(comparisons([*known, plan]))
    if num > known[0].num_comparisons > 0:
        found.append(
            f"the family has grown from {known[0].num_comparisons} to "
            f"{plural(num, 'comparison')}: this is a new plan, and its correction may take "
            "back an earlier call"
        )
    return found


def _of_its_task(folder: SweepFolder, plan: SweepPlan) -> list[SweepPlan]:
    """The plans so far of the task of a plan."""
    return [known for known in read_plans(folder) if covered([known]) & covered([plan])]


def _record_plan(folder: SweepFolder, plan: SweepPlan) -> None:
    known = _of_its_task(folder, plan)
    if known and not covered([plan]) - covered(known) and _asked(plan) == _asked(known[-1]):
        return
    folder.add_plan(plan.record())


def read_plans(folder: SweepFolder) -> tuple[SweepPlan, ...]:
    """The plans of a sweep so far.

    Raises:
        ConfigError: plan.json is damaged.
    """
    try:
        return plans_of(folder.path)
    except (ValueError, OSError) as error:
        raise ConfigError(" ".join(str(error).split())) from None


def _asked(plan: SweepPlan) -> tuple[Any, ...]:
    """What a command asks of its verdicts; a part of the grid asks for nothing else."""
    cap = plan.max_seeds if plan.mode == "anytime" else 0
    return plan.mode, plan.metric, plan.margin, cap


def judged_by(plans: Mapping[str, SweepPlan]) -> list[str]:
    """What the verdicts of each task will be, and from how many seeds on, in one line or more."""
    texts = {task: text for task, plan in plans.items() if (text := _judged_by(plan))}
    if len(plans) == 1:
        return list(texts.values())
    if len(texts) == len(plans) and len(set(texts.values())) == 1:
        return [f"each task on its own, {text}" for text in set(texts.values())]
    return [f"{task}, {text}" for task, text in texts.items()]


def _judged_by(plan: SweepPlan) -> str:
    """The same of one task; "" without a comparison."""
    num, seeds = plan.num_comparisons, plan.max_seeds
    if num == plan.num_others:
        return ""
    from mnist_seq.stats.sequential.outlook import fewest_seeds

    fewest = fewest_seeds(num, alpha=plan.alpha)
    over = f"Holm over {num}"
    if plan.mode == "fixed" and seeds < 2:
        return "verdicts need 2 seeds of each variant or more, and these have 1"
    if plan.mode == "fixed":
        return (
            f"verdicts: the paired t-test at {seeds} seeds, {over}; at any other number of seeds "
            f"an e-value, which calls nothing before {fewest} seeds"
        )
    margin = "" if plan.margin is None else f", equivalent within {plan.margin:g}"
    return (
        f"sweep.until=decided: {plan.first_seeds} seeds of every variant, then seeds where a "
        f"verdict is open, {seeds} at most; e-values, {over}{margin}, which call nothing before "
        f"{fewest} seeds"
    )
