"""The training loop of one run: steps, evaluations, checkpoints, early stop."""

import math
import time
from dataclasses import asdict, dataclass
from typing import Literal

import torch
from torch import Tensor

from mnist_seq.config import Config
from mnist_seq.data.task import Part, Task
from mnist_seq.models import Classifier
from mnist_seq.runs.events import Listener, Progress, Row, tell
from mnist_seq.runs.folder import RunFolder
from mnist_seq.training import checkpoint
from mnist_seq.training.diagnostics import diagnose
from mnist_seq.training.evaluation import Evaluation, evaluate
from mnist_seq.training.interruption import Interruption
from mnist_seq.training.schedules import lr_factor
from mnist_seq.training.seeds import epoch_order
from mnist_seq.training.step import train_step

DIAGNOSED = 64  # training examples that the diagnostics look at, the same each time
CHECK_EVERY = 50  # steps between two looks at the loss: each look waits for the device
TELL_EVERY_S = 1.0  # where 50 steps take longer than that


@dataclass
class LoopState:
    """What the loop itself remembers between two steps."""

    step: int = 0
    seconds: float = 0.0
    loss_count: int = 0  # examples since the last evaluation
    best_accuracy: float = -1.0
    best_step: int = 0
    evaluations_since_best: int = 0
    is_stopped_early: bool = False


class Loop:
    """Trains a model until its last step, an early stop or a loss that is not finite."""

    def __init__(
        self,
        config: Config,
        task: Task,
        model: Classifier,
        optimizer: torch.optim.Optimizer,
        *,
        folder: RunFolder,
        listeners: list[Listener],
        device: torch.device,
    ) -> None:
        self.config, self.task, self.model, self.optimizer = config, task, model, optimizer
        self.folder, self.listeners, self.device = folder, listeners, device
        training = config.training
        self.steps_per_epoch = math.ceil(task.num_train / training.batch_size)
        self.num_steps = self.steps_per_epoch * training.epochs
        self.eval_every = (
            self.steps_per_epoch if training.eval_every == "epoch" else training.eval_every
        )
        self.state = LoopState()
        # Over the examples since the last evaluation. Only read in between: were it emptied into
        # another sum at each look, the clock and signals would decide how its terms round
        self._loss_sum = torch.zeros((), dtype=_sum_dtype(device), device=device)
        self._started = self._told = time.perf_counter()

    def restore(self) -> bool:
        """Go back to the checkpoint, if there is one; evaluations after it are forgotten."""
        loop = checkpoint.restore(
            self.folder, model=self.model, optimizer=self.optimizer, device=self.device
        )
        if loop is None:
            self.folder.rewind_metrics(0)
            return False
        self._loss_sum.copy_(loop.pop("loss_sum"))
        self.state = LoopState(**loop)
        self.folder.rewind_metrics(self.state.step)
        return True

    def fit(self, interruption: Interruption) -> Literal["finished", "diverged"]:
        """Train to the end.

        Raises:
            Interrupted: a signal came; the checkpoint stands at the last whole step.
        """
        state, training = self.state, self.config.training
        self._started = time.perf_counter() - state.seconds
        epoch, order = -1, torch.empty(0)
        while state.step < self.num_steps and not state.is_stopped_early:
            current, position = divmod(state.step, self.steps_per_epoch)
            if current != epoch:
                epoch = current
                order = epoch_order(self.config.seed, epoch, self.task.num_train).to(self.device)
            batch = order[position * training.batch_size : (position + 1) * training.batch_size]
            self._train(batch)
            if not self._look():
                return "diverged"
            if interruption.signum:
                self.save()
                interruption.check()
        return "finished"

    def _train(self, batch: Tensor) -> None:
        config = self.config
        factor = lr_factor(
            config.schedule,
            self.state.step,
            num_steps=self.num_steps,
            steps_per_epoch=self.steps_per_epoch,
        )
        for group in self.optimizer.param_groups:
            group["lr"] = config.optimizer.lr * factor
        x, y = self.task.train_batch(batch)
        loss = train_step(
            self.model,
            self.optimizer,
            x,
            y,
            clip_norm=config.training.clip_norm,
            precision=config.device.precision,
        )
        self._loss_sum += loss * len(batch)
        self.state.loss_count += len(batch)
        self.state.step += 1

    def _look(self) -> bool:
        """After a step: tell, evaluate and save where they are due. False if the loss is lost."""
        state, training = self.state, self.config.training
        now = time.perf_counter()
        is_last = state.step == self.num_steps
        is_eval = state.step % self.eval_every == 0 or is_last
        is_save = state.step % training.checkpoint_every == 0 or is_last
        # The clock decides only what is told: when a run counts as diverged must not hang on it
        is_check = is_eval or is_save or state.step % CHECK_EVERY == 0
        if is_check or now - self._told > TELL_EVERY_S:
            loss_sum = float(self._loss_sum)
            self._told, state.seconds = now, now - self._started
            if is_check and not math.isfinite(loss_sum):
                return False
            event = Progress(
                step=state.step,
                epoch=state.step / self.steps_per_epoch,
                loss=loss_sum / state.loss_count,
            )
            tell(self.listeners, lambda listener: listener.progressed(event))
        if is_eval and not self._evaluate():
            return False
        if is_save or state.is_stopped_early:
            self.save()
        return True

    def _evaluate(self) -> bool:
        """Add a line to the metrics. False if the loss on valid is not finite."""
        config, state = self.config, self.state
        row: Row = {
            "step": state.step,
            "epoch": round(state.step / self.steps_per_epoch, 6),
            "train/loss": float(self._loss_sum) / state.loss_count,
            "optimizer/lr": self.optimizer.param_groups[0]["lr"],
        }
        if self.task.num_valid:
            valid = self._evaluated("valid")
            row |= {"valid/loss": valid.loss, "valid/accuracy": valid.accuracy}
        if config.training.monitor_test:
            monitor = self._evaluated("test", limit=config.training.monitor_test)
            row["monitor/accuracy"] = monitor.accuracy
        if config.training.diagnostics == "gradients":
            first = torch.arange(min(DIAGNOSED, self.task.num_train), device=self.device)
            row |= diagnose(self.model, *self.task.train_batch(first))
        self._loss_sum.zero_()
        state.loss_count = 0
        state.seconds = time.perf_counter() - self._started
        row["seconds"] = round(state.seconds, 4)
        is_finite = math.isfinite(row.get("valid/loss", 0.0))
        if is_finite:
            self._judge(row)
        self.folder.append_metrics(row)
        tell(self.listeners, lambda listener: listener.evaluated(row))
        return is_finite

    def _evaluated(self, part: Part, limit: int | None = None) -> Evaluation:
        return evaluate(
            self.model,
            self.task,
            part,
            batch_size=self.config.training.eval_batch_size,
            precision=self.config.device.precision,
            limit=limit,
        )

    def _judge(self, row: Row) -> None:
        """Keep the best weights, and stop early where that is asked."""
        state, training = self.state, self.config.training
        if "valid/accuracy" not in row:
            return
        if row["valid/accuracy"] > state.best_accuracy:
            state.best_accuracy, state.best_step = row["valid/accuracy"], state.step
            state.evaluations_since_best = 0
            checkpoint.save_weights(self.folder.best_path, self.model)
        else:
            state.evaluations_since_best += 1
        if training.early_stop != "never":
            is_patience_out = state.evaluations_since_best >= training.early_stop
            state.is_stopped_early = is_patience_out and state.step < self.num_steps

    def save(self) -> None:
        """Write the checkpoint."""
        self.state.seconds = time.perf_counter() - self._started
        checkpoint.save(
            self.folder,
            model=self.model,
            optimizer=self.optimizer,
            loop={**asdict(self.state), "loss_sum": self._loss_sum},
            device=self.device,
        )


def _sum_dtype(device: torch.device) -> torch.dtype:
    return torch.float32 if device.type == "mps" else torch.float64  # MPS has no float64
