"""State, files and events of one run while it trains, alone or in a stack."""

import logging
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch

from mnist_seq import tasks
from mnist_seq.runs.errors import Interrupted
from mnist_seq.runs.events import Ended, Listener, Progress, Row, Samples, Started, tell
from mnist_seq.training import checkpoint, checkpoint_check
from mnist_seq.training.device import device_name
from mnist_seq.training.diagnostics import diagnostics
from mnist_seq.training.job import Job, record_failure
from mnist_seq.training.loop.best import Kept, choice_of
from mnist_seq.training.loop.evaluation import Evaluation, last_metrics, metrics_at_end, named
from mnist_seq.training.loop.flat import flat_warning
from mnist_seq.training.loop.learner import Learner
from mnist_seq.training.preflight.count import recorded_counts
from mnist_seq.training.schedules import scale_of

log = logging.getLogger("mnist_seq.training")

NUM_SAMPLES = 10  # predictions shown at the end, as many as the tutorial shows


@dataclass
class LoopState:
    """State of the loop for one run, between two steps; saved in its checkpoint."""

    step: int = 0
    seconds: float = 0.0
    loss_count: int = 0  # examples since the last evaluation
    best_value: float = 0.0  # of `Choice.name`; as it was at best_step, 0 where none was
    best_step: int = 0
    evaluations: int = 0
    evaluations_since_best: int = 0
    is_stopped_early: bool = False


class Logbook:
    """One run's state, folder and listeners.

    Attributes:
        loss_sum: sum of the loss over the examples since the last evaluation.
        right_sum: the same of the accuracy, where the config asks for it.
        saved_optimizer: state of the optimizer to go on from, or None.
        saved_average: the averages of the weights to go on from, or None.
        ended: how the run has ended, or None while it trains.
        error: the exception of a failed run, or None.
    """

    def __init__(self, job: Job, learner: Learner, listeners: list[Listener]) -> None:
        self.job, self.folder, self.learner, self.listeners = job, job.folder, learner, listeners
        self.state, self.loss_sum, self.right_sum = LoopState(), 0.0, 0.0
        self.saved_optimizer: dict[str, Any] | None = None
        self.saved_average: dict[str, torch.Tensor] | None = None
        self._choice = choice_of(job.config.training, learner.data.task)
        self._kept = Kept(self.folder, self._choice, job.config.training.keep_best)
        self.ended: Ended | None = None
        self.error: Exception | None = None
        self._begun, self._num_steps = time.perf_counter(), 0

    def restore(self, saved: checkpoint.Saved | None) -> None:
        """Go back to a checkpoint, if there is one, and remove later rows of the metrics.

        Raises:
            ValueError: the checkpoint is damaged, or evaluations before it are missing.
        """
        if saved is not None:
            with checkpoint.errors_named(self.folder):
                kinds = {**LoopState.__annotations__, **dict.fromkeys(self._sums, float)}
                loop, self.saved_optimizer = checkpoint_check.checked(saved, self.learner, kinds)
                self.loss_sum, self.right_sum = loop.pop("loss_sum"), loop.pop("right_sum", 0.0)
                self.state = LoopState(**loop)
                self.saved_average = saved.get("average")
            if self.state.best_step:
                self.load_best()  # a damaged file is found now, not when all is trained
            with checkpoint.errors_named(self.folder):
                self.learner.model.load_state_dict(saved["model"])
                checkpoint.restore_random(saved, self.learner.generator)
            self._check_metrics()
        self.folder.rewind_metrics(self.state.step)
        self._kept.restore()

    def _check_metrics(self) -> None:
        """Refuse to go on if rows of the metrics before the checkpoint are missing."""
        last, wanted = self.state.step, self.state.evaluations
        found = sum(row.get("step", last + 1) <= last for row in self.folder.metrics())
        if found != wanted:
            raise ValueError(
                f"{self.folder.metrics_path} must hold the {wanted} evaluations before the "
                f"checkpoint at step {last}: found {found}; put the file back from a copy, or "
                f"remove {self.folder.checkpoint_path.name} too to train from the start"
            )

    def begin(self, *, num_steps: int) -> None:
        """Tell the listeners that training starts, and start the clock."""
        self._num_steps = num_steps
        model = self.learner.model
        event = Started(
            name=self.job.name,
            folder=self.folder.path,
            num_params=self.num_params,
            num_steps=num_steps,
            first_step=self.state.step,
            num_epochs=num_steps / self.learner.steps_per_epoch,
            device=device_name(next(model.parameters()).device),
            judged=tasks.record(self.learner.data.task, {}),
        )
        tell(self.listeners, lambda listener: listener.started(event))
        self._begun = time.perf_counter() - self.state.seconds

    @property
    def _sums(self) -> dict[str, float]:
        """What a checkpoint holds beside the state."""
        rights = {"right_sum": self.right_sum}
        has_rights = self.job.config.training.train_accuracy
        return {"loss_sum": self.loss_sum, **(rights if has_rights else {})}

    @property
    def _main(self) -> str:
        """The metric that choices go by."""
        return self.learner.data.task.main

    @property
    def num_params(self) -> int:
        """Number of parameters of the model."""
        return sum(p.numel() for p in self.learner.model.parameters())

    def set_progress(self, step: int, loss_count: int, loss_sum: float, right_sum: float) -> None:
        """Set the step and the sums of the loop, and the time."""
        self.state.step, self.state.loss_count = step, loss_count
        self.loss_sum, self.right_sum = loss_sum, right_sum
        self.state.seconds = time.perf_counter() - self._begun

    def progressed(self, epoch: float) -> None:
        """Tell the listeners the step and the loss."""
        state = self.state
        event = Progress(step=state.step, epoch=epoch, loss=self.loss_sum / state.loss_count)
        tell(self.listeners, lambda listener: listener.progressed(event))

    def evaluated(
        self,
        *,
        epoch: float,
        lr: float,
        valid: Evaluation | None,
        monitor: Evaluation | None,
        train: Evaluation | None,
    ) -> bool:
        """Add a line to the metrics. False if the loss on valid is not finite."""
        state = self.state
        row: Row = {
            "step": state.step,
            "epoch": round(epoch, 6),
            "train/loss": self.loss_sum / state.loss_count,
            "optimizer/lr": lr,
        }
        if self.job.config.training.train_accuracy:
            row["train/accuracy"] = self.right_sum / state.loss_count
        if valid is not None:
            row |= {"valid/loss": valid.loss, **named("valid", valid.metrics)}
        if monitor is not None:
            row |= {f"monitor/{k}": monitor.metrics[k] for k in (self._main, "loss")}
        if train is not None:
            row |= named("train_eval", train.metrics)
        if self.job.config.training.diagnostics != "none":
            row |= diagnostics(self.job.config.training, self.learner.model, self.learner.data)
        self.loss_sum, self.right_sum, state.loss_count = 0.0, 0.0, 0
        state.evaluations += 1
        state.seconds = time.perf_counter() - self._begun
        row["seconds"] = round(state.seconds, 4)
        is_finite = math.isfinite(row.get("valid/loss", 0.0))
        if is_finite:
            self._update_best(row)
        self.folder.append_metrics(row)
        tell(self.listeners, lambda listener: listener.evaluated(row))
        return is_finite

    def _update_best(self, row: Row) -> None:
        """Save the weights if they are the best so far; decide about early stopping."""
        state, early_stop = self.state, self.job.config.training.early_stop
        value = row.get(self._choice.name)
        if value is None:
            return
        if not state.best_step or self._choice.is_better(value, state.best_value):
            state.best_value, state.best_step = value, state.step
            state.evaluations_since_best = 0
            checkpoint.save_weights(self.folder.best_path, self.learner.model)
        else:
            state.evaluations_since_best += 1
        self._kept.add(state.step, value, self.learner.model)
        if early_stop != "never":
            is_patience_out = state.evaluations_since_best >= early_stop
            state.is_stopped_early = is_patience_out and state.step < self._num_steps
        if state.is_stopped_early and self._choice.name == f"valid/{self._main}":
            data = self.learner.data
            if warning := flat_warning(data.task, data.examples, state.best_value):
                log.warning(warning)

    def rate_scale(self) -> float:
        """What the learning rate is multiplied with, by the evaluations so far."""
        values = list(self._kept.values.values())
        return scale_of(self.job.config.schedule, values, self._choice.is_better)

    def save(self, optimizer: dict[str, Any], average: dict[str, torch.Tensor] | None) -> None:
        """Write the checkpoint.

        Args:
            optimizer: its state dict.
            average: of the weights, where the config asks for one.
        """
        self.state.seconds = time.perf_counter() - self._begun
        checkpoint.save(
            self.folder,
            model=self.learner.model,
            optimizer=optimizer,
            generator=self.learner.generator,
            loop={**asdict(self.state), **self._sums},
            average=average,
        )
        self._kept.prune()

    def load_best(self) -> None:
        """Load the best weights where the config evaluates those on the test set."""
        if self.job.config.training.evaluate == "best":
            checkpoint.load_weights(self.folder.best_path, self.learner.model)

    def finish(self, test: Evaluation, probes: Mapping[int, Evaluation]) -> None:
        """End with the evaluations on the test set and on other lengths, which are made once."""
        if not math.isfinite(test.loss):
            self.diverge()
            return
        state, folder, data = self.state, self.folder, self.learner.data
        is_best = self.job.config.training.evaluate == "best"
        best_step = state.best_step if is_best else None
        metrics = metrics_at_end(folder.metrics(), test, probes, best_step=best_step)
        labels, predictions = data.labels("test").cpu().numpy(), test.predictions.cpu().numpy()
        if data.spec.output != "class" and data.spec.num_outputs == 1:
            labels, predictions = labels[..., 0], predictions[..., 0]
        first = torch.arange(min(NUM_SAMPLES, data.num_test))
        pictures = data.pictures("test", first)
        images = None if pictures is None else pictures.numpy()
        mask = data.mask("test")
        folder.write_predictions(
            labels, predictions, images, None if mask is None else mask.cpu().numpy()
        )
        best: Row = {}
        if data.num_valid:
            best = {self._choice.name: state.best_value, "step": state.best_step}
        samples = None
        if images is not None:
            samples = Samples(images, labels[: len(first)], predictions[: len(first)])
        self._end(Ended("finished", 0, "", metrics, best, state.seconds, samples))

    def diverge(self) -> None:
        """End because the loss is not finite: an outcome, not a failure."""
        reason = f"the loss is not finite at step {self.state.step}"
        metrics = last_metrics(self.folder.metrics())
        self._end(Ended("diverged", 0, reason, metrics, seconds=self.state.seconds))

    def _end(self, ended: Ended) -> None:
        self._kept.prune()
        checkpoint.save_weights(self.folder.model_path, self.learner.model)
        self.folder.write_result(
            state=ended.state,
            reason=ended.reason,
            metrics=ended.metrics,
            best=ended.best,
            num_params=self.num_params,
            **recorded_counts(self.job.config),
            steps=self.state.step,
            seconds=round(ended.seconds, 4),
            is_stopped_early=self.state.is_stopped_early,
        )
        self.ended = ended
        tell(self.listeners, lambda listener: listener.ended(ended))

    def interrupt(self, stop: Interrupted) -> None:
        """End for now; the run can be resumed."""
        self.ended = ended = Ended("interrupted", stop.exit_code, str(stop))
        tell(self.listeners, lambda listener: listener.ended(ended))

    def fail(self, error: Exception) -> None:
        """End with an error, which is written to error.txt."""
        self.error = error
        self.ended = record_failure(self.job, error, self.listeners)
