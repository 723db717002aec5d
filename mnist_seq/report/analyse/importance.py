"""Which hyper-parameters a search's result depends on, by Optuna's fANOVA."""

import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np

from mnist_seq.report.analyse.searches import Subject
from mnist_seq.report.evidence import Importance
from mnist_seq.report.read.collect import is_number
from mnist_seq.runs.variants import naming_keys, shown

MIN_TRIALS = 20  # fewer do not tell two keys apart; Greff et al. 2017 took 200
SEEDS = (0, 1, 2)  # of the evaluator's forests: their range shows what is noise of the method
EVALUATOR = "Optuna's FanovaImportanceEvaluator"


def importances_of(
    subjects: Sequence[Subject], label: str
) -> tuple[tuple[Importance, ...], tuple[str, ...]]:
    """Importances of the searches that have enough trials, and notes on those that lack.

    Args:
        label: of the metric that the trials have values of.

    Source: Hutter et al. 2014 (fANOVA): shares of the variance that each key alone explains, in a
    forest that predicts the value from the keys.
    """
    wanted = [s for s in subjects if len(s.trials) >= MIN_TRIALS and _params(s)]
    if not wanted:
        return (), ()
    if importlib.util.find_spec("optuna") is None:
        return (), (
            "importance of hyper-parameters: not computed, Optuna is not installed; "
            "pip install 'mnist_seq[optuna]'",
        )
    return tuple(_importance(subject, label) for subject in wanted), ()


def _importance(subject: Subject, label: str) -> Importance:
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
    return Importance(
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
