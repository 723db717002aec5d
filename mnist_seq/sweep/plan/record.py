"""Records what a sweep plans before its first run, so that its verdicts hold what they say."""

from collections.abc import Mapping, Sequence
from typing import Any

from mnist_seq.config import ConfigError
from mnist_seq.config.schema import Sweep
from mnist_seq.report.read.planned import Mode, PlannedArm, SweepPlan, covered, plans_of
from mnist_seq.runs.provenance import commit
from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.runs.variants import BaselineRule, flat, naming_keys, title, variant_key
from mnist_seq.sweep.plan.planner import Plan, PlannedRun


def plan_of(plan: Plan, options: Sweep, *, defaults: Mapping[str, Any], mode: Mode) -> SweepPlan:
    """The plan of a sweep, as it is recorded and judged.

    Args:
        defaults: values of `conf/train.yaml` without overrides, which say what a baseline is.
    """
    from mnist_seq.training.preflight.task import check_task

    arms = arms_of(plan.runs, defaults=defaults)
    num_seeds = max(len(arm.runs) for arm in arms)
    is_fixed = mode == "fixed"
    return SweepPlan(
        mode=mode,
        metric=f"test/{check_task(plan.runs[0].config).main}",
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


def record_plan(folder: SweepFolder, plan: SweepPlan) -> None:
    """Write the first plan of a sweep, or append one that asks for more or for something else.

    Raises:
        ConfigError: plan.json is damaged.
    """
    known = read_plans(folder)
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


def judged_by(plan: SweepPlan) -> str:
    """What the verdicts of a plan will be, and from how many seeds on; "" without a comparison."""
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
