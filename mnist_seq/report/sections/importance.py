"""Which hyper-parameters a search's result depends on, by Optuna's fANOVA."""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mnist_seq.report import wording
from mnist_seq.report.analyse.searches import Subject
from mnist_seq.report.read.run import is_number
from mnist_seq.report.sections import Inputs, Section, Table
from mnist_seq.report.value import Report
from mnist_seq.runs.variants import naming_keys, shown

MIN_TRIALS = 20  # fewer do not tell two keys apart; Greff et al. 2017 took 200
SEEDS = (0, 1, 2)  # of the evaluator's forests: their range shows what is noise of the method
EVALUATOR = "Optuna's FanovaImportanceEvaluator"


@dataclass(frozen=True)
class Shares:
    """Which hyper-parameters the result of one search depends on.

    Attributes:
        shares: (key, mean over the evaluator's repetitions, smallest, largest), the largest first.
        about: the evaluator by its name, n, target and seeds.
    """

    name: str
    shares: tuple[tuple[str, float, float, float], ...]
    about: str


@dataclass(frozen=True)
class Importances:
    """Importances of the searches that have enough trials, or why they were not computed."""

    searches: tuple[Shares, ...]
    lacking: str = ""


class Importance(Section[Importances]):
    """Needs a search of at least MIN_TRIALS trials, and Optuna.

    Source: Hutter et al. 2014 (fANOVA): shares of the variance that each key alone explains, in a
    forest that predicts the value from the keys.
    """

    order = 80.0

    def compute(self, inputs: Inputs) -> Importances | None:
        """Shares of the keys in each search."""
        wanted = [s for s in inputs.weighed if len(s.trials) >= MIN_TRIALS and _params(s)]
        if not wanted:
            return None
        if importlib.util.find_spec("optuna") is None:
            return Importances(
                (),
                "importance of hyper-parameters: not computed, Optuna is not installed; "
                "pip install 'mnist_seq[optuna]'",
            )
        return Importances(tuple(_shares(s, inputs.selector.label) for s in wanted))

    def notes(self, part: Importances) -> Sequence[str]:
        """Why there is none."""
        return [part.lacking] if part.lacking else []

    def tables(self, report: Report, part: Importances) -> Sequence[Table]:
        """One table a search."""
        header = ("key", "share of the variance, %", "range over forests, %")
        return [
            Table(
                f"Importance of hyper-parameters: {found.name}",
                header,
                tuple(
                    (key, wording.number(100 * share, 1), wording.span(100 * low, 100 * high, 1))
                    for key, share, low, high in found.shares
                ),
                f"{found.about}.",
            )
            for found in part.searches
        ]


def _shares(subject: Subject, label: str) -> Shares:
    import optuna

    params = _params(subject)
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = _study(subject, params)
        found = [
            optuna.importance.get_param_importances(
                study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=seed)
            )
            for seed in SEEDS
        ]
    finally:
        optuna.logging.set_verbosity(verbosity)
    table = {key: [float(one[key]) for one in found] for key in params}
    shares = [(key, float(np.mean(v)), min(v), max(v)) for key, v in table.items()]
    return Shares(
        name=subject.name,
        shares=tuple(sorted(shares, key=lambda share: -share[1])),
        about=(
            f"{EVALUATOR} (fANOVA, main effects, seeds {', '.join(map(str, SEEDS))}) of {label}, "
            f"n={len(subject.trials)} trials, sampler {subject.sampler}"
        ),
    )


def _study(subject: Subject, params: Sequence[str]) -> Any:
    """The trials as a study of Optuna's, in memory."""
    import optuna

    columns = {key: [trial.variant[key] for trial in subject.trials] for key in params}
    distributions = {key: _distribution(values) for key, values in columns.items()}
    study = optuna.create_study(direction="maximize")
    for i, trial in enumerate(subject.trials):
        row = {key: columns[key][i] for key in params}
        values = {key: v if is_number(v) else shown(v) for key, v in row.items()}
        study.add_trial(
            optuna.trial.create_trial(params=values, distributions=distributions, value=trial.value)
        )
    return study


def _distribution(values: Sequence[Any]) -> Any:
    """What spans the values; on a log scale where they are positive and span a decade."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if not all(is_number(value) for value in values):
        return CategoricalDistribution(sorted({shown(value) for value in values}))
    low, high = min(values), max(values)
    is_log = low > 0 and high >= 10 * low
    if all(isinstance(value, int) for value in values):
        return IntDistribution(low, high, log=is_log)
    return FloatDistribution(float(low), float(high), log=is_log)


def _params(subject: Subject) -> list[str]:
    """Keys that differ between the trials, and that all of them have."""
    variants = [trial.variant for trial in subject.trials]
    return [key for key in naming_keys(variants) if all(key in variant for variant in variants)]
