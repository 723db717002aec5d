"""What a command with `sweep.until=decided` may ask for."""

from collections.abc import Sequence

from mnist_seq.config import ConfigError
from mnist_seq.config.schema import Sweep
from mnist_seq.config.words import key_of
from mnist_seq.report.read.planned import SweepPlan
from mnist_seq.stats.sequential.outlook import fewest_seeds
from mnist_seq.sweep.plan.arms import Study


def with_seeds(words: Sequence[str], study: Study | None, options: Sweep) -> list[str]:
    """The overrides of a command with all seeds up to the cap, in planned order.

    Raises:
        ConfigError: the command says which seeds there are, or the cap is below the first seeds.
    """
    arms = [] if study is None else [*study.base, *(w for arm in study.arms.values() for w in arm)]
    given = [word for word in (*words, *arms) if key_of(word) == "seed"]
    given += [f"sweep.zip={key}" for key in options.zip if key_of(key) == "seed"]
    given += [
        f"sweep.exclude={text}"
        for text in options.exclude
        if any(key_of(part.strip()) == "seed" for part in text.split(","))
    ]
    if given:
        raise ConfigError(
            f"sweep.until=decided chooses the seeds, 0 to sweep.max_seeds - 1 where a verdict is "
            f"open: {given[0]}; leave seed out, or sweep.until=decided"
        )
    if options.first_seeds > options.max_seeds:
        raise ConfigError(
            f"sweep.first_seeds must not exceed sweep.max_seeds: {options.first_seeds} and "
            f"{options.max_seeds}; raise sweep.max_seeds"
        )
    return [*words, f"seed=range({options.max_seeds})"]


def check_decidable(plan: SweepPlan) -> None:
    """Refuse a study in which nothing could be decided.

    Raises:
        ConfigError: a variant has no baseline, there is none to compare, or the cap is too low.
    """
    alone = [arm.name for arm in plan.arms.values() if not arm.baseline]
    if alone:
        raise ConfigError(
            f"sweep.until=decided compares each variant with its baseline, and there is none for "
            f"{alone[0]}; sweep.baseline=auto adds it, or add what it is compared with"
        )
    if not any(arm.is_compared for arm in plan.arms.values()):
        raise ConfigError(
            "sweep.until=decided needs a variant beside the baseline, and there is only "
            f"{', '.join(plan.arms)}; add what to compare: model=lstm,gru"
        )
    fewest = fewest_seeds(plan.num_comparisons, alpha=plan.alpha)
    if plan.max_seeds < fewest:
        raise ConfigError(
            f"with {plan.num_comparisons} comparisons no verdict is possible before {fewest} "
            f"seeds: sweep.max_seeds={plan.max_seeds}; choose sweep.max_seeds=20"
        )
