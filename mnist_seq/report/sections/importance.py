"""Which hyper-parameters a search's result depends on, by Optuna's fANOVA."""

import importlib.util
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mnist_seq.report import wording
from mnist_seq.report.analyse.searches import GRID, Subject
from mnist_seq.report.read.run import is_number
from mnist_seq.report.sections import Inputs, Section, Table
from mnist_seq.report.value import Report
from mnist_seq.runs.text import plural
from mnist_seq.runs.variants import naming_keys, shown

MIN_TRIALS = 20  # fewer do not tell two keys apart; Greff et al. 2017 took 200
SEEDS = (0, 1, 2)  # of the evaluator's forests: their range shows what is noise of the method
EVALUATOR = "Optuna's FanovaImportanceEvaluator"
REST = "interactions and the rest"
_TREES = {"n_estimators": 64, "max_depth": 64}  # the evaluator's own


@dataclass(frozen=True)
class Shares:
    """Which hyper-parameters the result of one search depends on.

    Attributes:
        shares: (key, mean over the evaluator's repetitions, smallest, largest), the largest first;
            `REST` is last. Raw shares of the forest's variance: with `REST` they sum to 1.
        fit: R2 of the forest on trials that its trees have not seen (out-of-bag), mean over the
            repetitions; at 0 or less it predicts no better than the mean.
        about: the evaluator by its name, n, target, seeds, fit, and keys that are left out.
    """

    name: str
    shares: tuple[tuple[str, float, float, float], ...]
    fit: float
    about: str


@dataclass(frozen=True)
class Importances:
    """Importances of the searches that have enough trials; why others have none."""

    searches: tuple[Shares, ...]
    lacking: tuple[str, ...] = ()


class Importance(Section[Importances]):
    """Needs a search of at least MIN_TRIALS trials, and Optuna.

    Source: Hutter et al. 2014 (fANOVA): shares of the variance that each key alone explains, in a
    forest that predicts the value from the keys.
    Differs: keys that span a decade are taken as logarithms, as they are searched.
    """

    order = 80.0
    heading = "Importance of hyper-parameters"

    def compute(self, inputs: Inputs) -> Importances | None:
        """Shares of the keys in each search, or why there are none."""
        if not inputs.weighed:
            return None
        wanted = [s for s in inputs.weighed if not _why_not(s)]
        lacking: dict[str, list[str]] = {}
        for subject in inputs.weighed:
            is_asked = inputs.options.importance == "all" or subject.sampler != GRID
            if is_asked and (why := _why_not(subject)):
                lacking.setdefault(why, []).append(subject.name)
        notes = tuple(
            f"importance of hyper-parameters: not computed for {wording.listed(names)}, {why}"
            for why, names in lacking.items()
        )
        if wanted and importlib.util.find_spec("optuna") is None:
            notes += (
                "importance of hyper-parameters: not computed, Optuna is not installed; "
                "pip install 'mnist_seq[optuna]'",
            )
            wanted = []
        if not wanted and not notes:
            return None
        return Importances(tuple(_shares(s, inputs.selector.label) for s in wanted), notes)

    def notes(self, part: Importances) -> Sequence[str]:
        """Why there are none."""
        return part.lacking

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


def _why_not(subject: Subject) -> str:
    """Why a search has no importances; "" if it has."""
    n = len(subject.trials)
    if n < MIN_TRIALS:
        return f"{plural(n, 'trial')} of the {MIN_TRIALS} that it takes"
    if not _params(subject):
        return "no key differs between its trials and is in all of them"
    if len({trial.value for trial in subject.trials}) == 1:
        return "all its trials have the same value"
    return ""


def _shares(subject: Subject, label: str) -> Shares:
    import optuna

    params = _params(subject)
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = _study(subject, params)
        # its own values: get_param_importances rescales them, and two keys of noise get 50 % each
        evaluators = [optuna.importance.FanovaImportanceEvaluator(seed=seed) for seed in SEEDS]
        found = [evaluator.evaluate(study, params) for evaluator in evaluators]
    finally:
        optuna.logging.set_verbosity(verbosity)
    table = {key: [float(one[key]) for one in found] for key in params}
    rest = [max(0.0, 1 - math.fsum(one.values())) for one in found]
    shares = [(key, float(np.mean(v)), min(v), max(v)) for key, v in table.items()]
    fit = float(np.mean([_fit(subject, params, seed) for seed in SEEDS]))
    return Shares(
        name=subject.name,
        shares=(
            *sorted(shares, key=lambda share: -share[1]),
            (REST, float(np.mean(rest)), min(rest), max(rest)),
        ),
        fit=fit,
        about="; ".join(
            [
                f"{EVALUATOR} (fANOVA, main effects, seeds {', '.join(map(str, SEEDS))}) of "
                f"{label}, n={len(subject.trials)} trials, sampler {subject.sampler}",
                *_about_fit(fit),
                *_about_keys(subject, params),
            ]
        ),
    )


def _about_fit(fit: float) -> list[str]:
    said = f"on trials that its trees have not seen, such a forest has R2 = {fit:.2f}"
    if fit > 0:
        return [f"{said}: the shares are of what it predicts"]
    return [f"{said}, no better than the mean: the shares say nothing of this search"]


def _about_keys(subject: Subject, params: Sequence[str]) -> list[str]:
    variants = [trial.variant for trial in subject.trials]
    left = [key for key in naming_keys(variants) if key not in params]
    logs = [key for key in params if _is_log([variant[key] for variant in variants])]
    return [
        *([f"as logarithms: {', '.join(logs)}"] if logs else []),
        *([f"left out, since some trials lack them: {', '.join(left)}"] if left else []),
    ]


def _fit(subject: Subject, params: Sequence[str], seed: int) -> float:
    """Out-of-bag R2 of a forest like the evaluator's."""
    from sklearn.ensemble import RandomForestRegressor

    columns: list[np.ndarray] = []
    for key in params:
        values = _numbers([trial.variant[key] for trial in subject.trials])
        if isinstance(values[0], float):
            columns.append(np.array(values))
        else:
            columns += [np.array([value == known for value in values]) for known in set(values)]
    forest = RandomForestRegressor(random_state=seed, oob_score=True, **_TREES)
    forest.fit(np.stack(columns, axis=1), np.array([trial.value for trial in subject.trials]))
    return float(forest.oob_score_)


def _study(subject: Subject, params: Sequence[str]) -> Any:
    """The trials as a study of Optuna's, in memory."""
    import optuna

    columns = {key: _numbers([trial.variant[key] for trial in subject.trials]) for key in params}
    distributions = {key: _distribution(values) for key, values in columns.items()}
    study = optuna.create_study(direction="maximize")
    for i, trial in enumerate(subject.trials):
        values = {key: columns[key][i] for key in params}
        study.add_trial(
            optuna.trial.create_trial(params=values, distributions=distributions, value=trial.value)
        )
    return study


def _numbers(values: Sequence[Any]) -> list[float] | list[str]:
    """Values as the forest takes them: numbers, their logarithms, or texts of categories."""
    if not all(is_number(value) for value in values):
        return [shown(value) for value in values]
    return [math.log10(v) if _is_log(values) else float(v) for v in values]


def _is_log(values: Sequence[Any]) -> bool:
    """Whether numbers are positive and span a decade."""
    return all(is_number(v) and v > 0 for v in values) and max(values) >= 10 * min(values)


def _distribution(values: Sequence[Any]) -> Any:
    """What spans the values."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if isinstance(values[0], str):
        return CategoricalDistribution(sorted(set(values)))
    return FloatDistribution(min(values), max(values))


def _params(subject: Subject) -> list[str]:
    """Keys that differ between the trials, and that all of them have."""
    variants = [trial.variant for trial in subject.trials]
    return [key for key in naming_keys(variants) if all(key in variant for variant in variants)]
