"""Runs trials in the pool: asks Optuna for trials, reports evaluations and ends, prunes."""

from collections.abc import Callable
from typing import Any

from mnist_seq.config import ConfigError
from mnist_seq.runs.events import Started, value_text
from mnist_seq.runs.folder import RunFolder
from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.sweep.plan.planner import PlannedRun
from mnist_seq.sweep.pool.jobs import Outcome, PoolJob
from mnist_seq.sweep.pool.pool import Pool
from mnist_seq.sweep.search.settings import Settings
from mnist_seq.sweep.search.space import Space
from mnist_seq.sweep.search.study import ask, complete, num_waiting


class Trials:
    """A view of the pool that adds a new job whenever one has ended.

    The user attribute `folder` of a trial names its run, and the ledger's `trial` names the trial.
    Trials with equal values share one run.

    Args:
        left: trials of an earlier command that are resumed.
        budget: number of further trials.
        plan: overrides -> the planned run, and whether it must be trained.
        job: (planned run, trial number) -> the job of the pool.

    Attributes:
        pool: must be set before the pool runs.
    """

    def __init__(
        self,
        study: Any,
        settings: Settings,
        space: Space,
        *,
        folder: SweepFolder,
        left: list[Any],
        budget: int,
        plan: Callable[[tuple[str, ...]], PlannedRun],
        job: Callable[[int, PlannedRun], PoolJob],
    ) -> None:
        self.study, self.settings, self.space, self.folder = study, settings, space, folder
        self.pool: Pool | None = None
        self.runs: dict[str, PlannedRun] = {}
        self.num_failed = 0
        self._left, self._budget, self._plan, self._job = list(left), budget, plan, job
        self._at_work: dict[str, list[Any]] = {}  # run -> its trials; the first one reports
        self._num_steps: dict[str, int] = {}  # run -> the number of its last step
        self._to_prune: dict[str, str] = {}  # run that was asked to stop -> the reason
        self._pruned = _pruned_runs(study)

    def next_job(self) -> PoolJob | None:
        """The job of the next trial that must be trained, or None when the search is over."""
        while (trial := self._next_trial()) is not None:
            try:
                run = self._plan(self.space.words(trial.params))
            except ConfigError as error:
                self._fail(trial, str(error))
                continue
            trial.set_user_attr("folder", run.name)
            if run.name in self._at_work:
                self._at_work[run.name].append(trial)
            elif run.name in self._pruned:
                self._prune(trial, self._pruned[run.name])
            elif run.action == "reuse":
                self._settle(trial, run.folder)
            else:
                self.folder.note("planned", run.name, trial=trial.number)
                self.runs[run.name] = run
                self._at_work[run.name] = [trial]
                return self._job(trial.number, run)
            self.folder.note("reused", run.name, trial=trial.number)
        return None

    def started(self, job: PoolJob, slot: int) -> None: ...

    def event(self, job: PoolJob, event: Any) -> None:
        """Report an evaluation to Optuna, and stop the run if the pruner says so.

        A run is not stopped at its last evaluation: it has trained to the end, and only its test is
        left to do.
        """
        if isinstance(event, Started):
            self._num_steps[job.name] = event.num_steps
        value = event.get(self.settings.objective) if isinstance(event, dict) else None
        if value is None or job.name not in self._at_work or job.name in self._to_prune:
            return
        steps = [row["step"] for row in job.folder.metrics()]
        number = steps.index(event["step"]) + 1 if event["step"] in steps else len(steps) + 1
        trial = self._at_work[job.name][0]
        reported = self.study.get_trials(deepcopy=False)[trial.number].intermediate_values
        if number not in reported:  # a resumed run repeats the evaluations after its checkpoint
            trial.report(value, number)
        is_last = event["step"] == self._num_steps.get(job.name)
        if not is_last and trial.should_prune():
            assert self.pool is not None
            reached = value_text(self.settings.objective, value)
            reason = f"pruned at evaluation {number}: {self.settings.objective} {reached}"
            self._to_prune[job.name] = reason
            self.pool.stop_job(job.name, reason)

    def ended(self, outcome: Outcome, *, is_retried: bool) -> None:
        """Report the end of a run to its trials, and queue the next trial."""
        if is_retried:
            return
        name = outcome.job.name
        reason = self._to_prune.pop(name, "")
        for trial in self._at_work.pop(name):
            if outcome.state == "finished" or outcome.state == "diverged":
                self._settle(trial, outcome.job.folder)
            elif outcome.state == "failed":
                self._fail(trial, outcome.reason)
            elif reason and outcome.reason == reason:
                self._pruned[name] = reason
                self._prune(trial, reason)
            # otherwise the command was stopped, and its next start resumes the trial
        assert self.pool is not None
        if not self.pool.stop_reason and (job := self.next_job()) is not None:
            self.pool.add(job)

    def stopping(self, reason: str) -> None: ...

    def _next_trial(self) -> Any:
        if self._left:
            trial = self._left.pop(0)
            complete(trial, self.space)
            return trial
        if self._budget < 1 or (self.settings.sampler == "grid" and not num_waiting(self.study)):
            return None
        self._budget -= 1
        return ask(self.study, self.space)

    def _settle(self, trial: Any, folder: RunFolder) -> None:
        """Report the result of its run to a trial."""
        result = folder.result()
        value = result["metrics"].get(self.settings.objective)
        if result["state"] == "finished" and value is not None:
            self.study.tell(trial, value)
        else:
            self._prune(trial, result.get("reason") or f"it has no {self.settings.objective}")

    def _prune(self, trial: Any, reason: str) -> None:
        trial.set_user_attr("reason", reason)
        self.study.tell(trial, state=_state("PRUNED"))

    def _fail(self, trial: Any, reason: str) -> None:
        self.num_failed += 1
        trial.set_user_attr("reason", reason)
        self.study.tell(trial, state=_state("FAIL"))


def _pruned_runs(study: Any) -> dict[str, str]:
    """Runs that a pruner has stopped, with the reason; a diverged run has a result instead."""
    trials = study.get_trials(deepcopy=False, states=(_state("PRUNED"),))
    return {t.user_attrs["folder"]: t.user_attrs["reason"] for t in trials
            if t.user_attrs.get("reason", "").startswith("pruned")}  # fmt: skip


def _state(name: str) -> Any:
    from optuna.trial import TrialState

    return TrialState[name]
