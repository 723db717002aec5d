"""Records what a sweep plans before its first run, so that its verdicts hold what they say."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mnist_seq.config import ConfigError
from mnist_seq.config.schema import Sweep
from mnist_seq.report.read.planned import Mode, PlannedArm, SweepPlan, covered, plans_of
from mnist_seq.runs.provenance import commit
from mnist_seq.runs.sweep_folder import SweepFolder
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
        ConfigError: several tasks are asked for what is only there for one.
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
    return {
        task: _plan_of(runs, options, defaults=defaults, mode=mode) for task, runs in tasks.items()
    }


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


def _record_plan(folder: SweepFolder, plan: SweepPlan) -> None:
    known = [p for p in read_plans(folder) if covered([p]) & covered([plan])]  # of this task
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
    if not num:
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
