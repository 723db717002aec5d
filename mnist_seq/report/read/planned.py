"""What a sweep planned before its first run: plan.json, read and written as one record a plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mnist_seq.runs.sweep_folder import SweepFolder

RULE_VERSION = 1
Mode = Literal["fixed", "anytime"]


@dataclass(frozen=True)
class PlannedArm:
    """A variant of a plan.

    Attributes:
        baseline: name of the variant that it is compared with; its own name for a baseline, and
            "" where it has none.
        runs: seed -> name of the run's folder, in planned order.
        ended: number of its runs that had ended when the plan was made.
    """

    name: str
    baseline: str
    runs: Mapping[int, str]
    ended: int = 0

    @property
    def is_compared(self) -> bool:
        """Whether it is compared with another variant."""
        return self.baseline not in ("", self.name)


@dataclass(frozen=True)
class SweepPlan:
    """One plan: how its comparisons will be judged, and on which seeds.

    Attributes:
        mode: "fixed": judged once, at the planned number of seeds. "anytime": at any number.
        metric: whose differences are judged.
        first_seeds, max_seeds: of `sweep.until=decided`; else the same number.
        arms: by name.
        commit: of the code that made the plan; "" outside a checkout.
        num_others: number of comparisons of earlier plans of the sweep that are not in this one;
            not recorded.
    """

    mode: Mode
    metric: str
    margin: float | None
    first_seeds: int
    max_seeds: int
    arms: Mapping[str, PlannedArm]
    commit: str = ""
    test: str = "t"
    alpha: float = 0.05
    correction: str = "holm"
    num_others: int = 0

    @property
    def num_comparisons(self) -> int:
        """Size of the family."""
        return sum(arm.is_compared for arm in self.arms.values()) + self.num_others

    def record(self) -> dict[str, Any]:
        """As plan.json has it."""
        arms = [
            {
                "name": arm.name,
                "baseline": arm.baseline,
                "ended": arm.ended,
                "seeds": list(arm.runs),
                "runs": list(arm.runs.values()),
            }
            for arm in self.arms.values()
        ]
        rule = {
            "rule": RULE_VERSION,
            "mode": self.mode,
            "test": self.test,
            "alpha": self.alpha,
            "correction": self.correction,
            "metric": self.metric,
            "margin": self.margin,
        }
        seeds = {"first_seeds": self.first_seeds, "max_seeds": self.max_seeds}
        return {**rule, **seeds, "commit": self.commit, "arms": arms}


def plans_of(folder: Path) -> tuple[SweepPlan, ...]:
    """The plans of a sweep's folder, the first one first; none in sweeps of older versions.

    Raises:
        ValueError: plan.json is damaged, or of a newer version.
        OSError: plan.json cannot be read.
    """
    sweep = SweepFolder(folder)
    try:
        return tuple(_plan_of(plan) for plan in sweep.plans())
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{sweep.plan_path} must hold plans as this version writes them ({error!r}); put it "
            "back from a copy"
        ) from None


def _plan_of(plan: Mapping[str, Any]) -> SweepPlan:
    if plan["rule"] != RULE_VERSION or plan["mode"] not in ("fixed", "anytime"):
        raise TypeError(f"rule={plan['rule']} mode={plan['mode']}")
    arms = [
        PlannedArm(
            str(arm["name"]),
            str(arm["baseline"]),
            dict(zip(map(int, arm["seeds"]), map(str, arm["runs"]), strict=True)),
            int(arm["ended"]),
        )
        for arm in plan["arms"]
    ]
    margin = plan["margin"]
    return SweepPlan(
        mode=plan["mode"],
        metric=str(plan["metric"]),
        margin=None if margin is None else float(margin),
        first_seeds=int(plan["first_seeds"]),
        max_seeds=int(plan["max_seeds"]),
        arms={arm.name: arm for arm in arms},
        commit=str(plan["commit"]),
        test=str(plan["test"]),
        alpha=float(plan["alpha"]),
        correction=str(plan["correction"]),
    )


def covered(plans: Sequence[SweepPlan]) -> set[str]:
    """Names of all run folders that plans name."""
    return {run for plan in plans for arm in plan.arms.values() for run in arm.runs.values()}


def declared_margin(plans: Sequence[SweepPlan]) -> float | None:
    """The first margin that a plan declares: a later one does not replace it."""
    return next((plan.margin for plan in plans if plan.margin is not None), None)


def comparisons(plans: Sequence[SweepPlan]) -> list[set[str]]:
    """Names of the run folders of each variant that plans compare.

    A plan names variants by what differs in it, so variants of two plans that share a run are one.
    """
    found: list[set[str]] = []
    for arm in (arm for plan in plans for arm in plan.arms.values() if arm.is_compared):
        runs = set(arm.runs.values())
        same = [own for own in found if own & runs]
        found = [own for own in found if not own & runs] + [runs.union(*same)]
    return found
