"""Opens the Optuna study of a search on disk, and finds the trials that an earlier command left."""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mnist_seq.config import ConfigError
from mnist_seq.runs import files
from mnist_seq.runs.disk import limits
from mnist_seq.runs.stale import differing_keys
from mnist_seq.sweep.search.settings import Settings, make_pruner, make_sampler
from mnist_seq.sweep.search.space import Space

NAME = "search"
JOURNAL = "optuna.journal"
_DATABASE = "optuna.db"
_BESIDE = ("journal", "wal", "shm")  # what SQLite writes beside a database


def open_study(folder: Path, settings: Settings, *, asked: Mapping[str, Any]) -> Any:
    """Open the study of a sweep's folder, or create it.

    Args:
        asked: the settings that all trials share; a study that began with others is refused.

    Raises:
        ConfigError: the study belongs to another search, or cannot be opened.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        storage = _storage(folder, settings.storage)
        study = optuna.create_study(
            study_name=NAME, storage=storage, direction=settings.direction, load_if_exists=True
        )
        num_trials = len(study.get_trials(deepcopy=False))
    except Exception as error:  # errors of SQLAlchemy, of a driver, of a damaged file
        first = " ".join(str(error).split())[:300]
        raise ConfigError(
            f"hydra.sweeper.storage={settings.storage} cannot be opened in {folder}: "
            f"{type(error).__name__}: {first}"
        ) from None
    _check_same(study, asked, folder)
    # both may differ from command to command
    study.sampler = make_sampler(settings, num_trials=num_trials)
    study.pruner = make_pruner(settings)
    return study


def is_done(trial: Any) -> bool:
    """Whether a trial counts towards `n_trials`: it is complete or pruned."""
    return trial.state.name in ("COMPLETE", "PRUNED")


def ask(study: Any, space: Space) -> Any:
    """A new trial, with values for all keys that its choices have."""
    common = {key: d for key, d in space.distributions.items() if key not in space.only}
    trial = study.ask(common)
    complete(trial, space)
    return trial


def complete(trial: Any, space: Space) -> None:
    """Draw the values that a trial lacks: of keys of its own choices, or after a kill."""
    for key in sorted(space.distributions, key=lambda key: key in space.only):
        if key not in trial.params and space.is_of(key, trial.params):
            d = space.distributions[key]
            if hasattr(d, "choices"):
                trial.suggest_categorical(key, d.choices)
            elif isinstance(d.low, int):
                trial.suggest_int(key, d.low, d.high, step=d.step, log=d.log)
            else:
                trial.suggest_float(key, d.low, d.high, step=d.step, log=d.log)


def left_running(study: Any) -> list[Any]:
    """Trials that were running when an earlier command was stopped or killed; they are resumed."""
    import optuna

    state = optuna.trial.TrialState.RUNNING
    left = study.get_trials(deepcopy=False, states=(state,))
    # a trial without values was killed while Optuna created it
    for trial in left:
        if not trial.params:
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    return [optuna.trial.Trial(study, t._trial_id) for t in left if t.params]


def queue_failed(study: Any) -> int:
    """Queue the values of failed trials again, before new ones. Returns their number."""
    import optuna

    trials = study.get_trials(deepcopy=False)
    settled = [t.params for t in trials if t.state != optuna.trial.TrialState.FAIL]
    waiting = [t.system_attrs.get("fixed_params") for t in trials]
    again: list[dict[str, Any]] = []
    for trial in trials:
        params = trial.params
        if params and params not in settled and params not in again:
            again.append(params)
            if not any(
                t.state == optuna.trial.TrialState.WAITING and fixed == params
                for t, fixed in zip(trials, waiting, strict=True)
            ):
                study.enqueue_trial(params, user_attrs={"again": trial.number})
    return len(again)


def queue_grid(study: Any, space: Space) -> None:
    """Queue the points of the grid that the study does not have yet."""
    for params in space.grid():
        study.enqueue_trial(params, skip_if_exists=True)


def num_waiting(study: Any) -> int:
    """Number of queued trials."""
    import optuna

    state = optuna.trial.TrialState.WAITING
    return len(study.get_trials(deepcopy=False, states=(state,)))


def _storage(folder: Path, name: str) -> Any:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    for own in (JOURNAL, f"{JOURNAL}.lock", _DATABASE, *(f"{_DATABASE}-{of}" for of in _BESIDE)):
        files.inside(folder, own)
    if name != "journal":
        return f"sqlite:///{folder / _DATABASE}" if name == "sqlite" else name
    path = folder / JOURNAL
    _end_last_line(path)
    lock = Path(f"{path}.lock")
    lock.unlink(missing_ok=True)  # of a killed command; we hold the sweep's lock
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna marks this lock for NFS as deprecated
        return JournalStorage(JournalFileBackend(str(path), JournalFileOpenLock(str(path))))


def _end_last_line(path: Path) -> None:
    """Cut off the half line that a killed process left; Optuna would fail at it for ever."""
    if not path.exists():
        return
    content = limits.read_bytes(path)
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        files.write_bytes(path, whole)


def _check_same(study: Any, asked: Mapping[str, Any], folder: Path) -> None:
    asked = json.loads(json.dumps(asked))
    began = study.user_attrs.get("asked")
    if began is None:
        study.set_user_attr("asked", asked)
        return
    if "fixed" not in began:  # a search of an earlier version
        asked = {key: value for key, value in asked.items() if key != "fixed"}
    if keys := differing_keys(began, asked, {}):
        raise ConfigError(
            f"the search in {folder} began with something else, and its trials compare only with "
            f"equals: {', '.join(keys)}; choose another sweep.name"
        )
