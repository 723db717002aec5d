"""The program that a training loop steps: R runs, each with its own weights."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor, nn

from mnist_seq.tasks.batches.batch import Batch, repeated
from mnist_seq.tasks.batches.task_data import PartName
from mnist_seq.training.device import autocast, sum_dtype
from mnist_seq.training.loop.batch import training_batch
from mnist_seq.training.loop.cuda_graph import Captured, is_capturable
from mnist_seq.training.loop.evaluation import Evaluation, evaluate
from mnist_seq.training.loop.learner import Learner
from mnist_seq.training.loop.step import train_step
from mnist_seq.training.optimizers import build_optimizer, groups_of, load_state


class Program(ABC):
    """R runs that are stepped together: one run, or a stack.

    Attributes:
        loss_sums: sums of the losses over the examples since the loop set them to zero, [R].
        right_sums: the same of the accuracy of batches; None where no config asks for it.
    """

    loss_sums: Float[Tensor, " R"]
    right_sums: Float[Tensor, " R"] | None = None

    @abstractmethod
    def begin_epoch(
        self, first: int, orders: Int64[Tensor, "R N"], rates: Float64[Tensor, "steps R"]
    ) -> None:
        """Set the orders of the examples and the learning rates of an epoch.

        Args:
            first: updates before the epoch.
            orders: empty where examples are generated.
        """

    @abstractmethod
    def step(self, position: int) -> int:
        """Update all weights once, with a batch of the epoch. Nothing waits for the device.

        Returns:
            The number of examples in each run's batch.
        """

    @abstractmethod
    def evaluate(self, part: PartName | int, limit: int | None = None) -> list[Evaluation]:
        """The metrics of each run on its part of the data.

        Args:
            part: a number is the length of a probe.
        """

    @abstractmethod
    def optimizer_state(self, run: int) -> dict[str, Any]:
        """State dict of one run's optimizer, equal to that of the run alone."""


class Single(Program):
    """One run.

    Args:
        saved: state of the optimizer to go on from, or None.
    """

    def __init__(self, learner: Learner, saved: dict[str, Any] | None) -> None:
        self.learner, config = learner, learner.config
        self.device = learner.data.device
        groups = groups_of(config.optimizer, learner.model)
        self._lr_factors = [group.lr_factor for group in groups]
        self.optimizer = build_optimizer(
            config.optimizer,
            groups,
            dict(learner.model.named_parameters()),
            self.device,
            is_capturable=True,
        )
        if saved is not None:
            load_state(self.optimizer, saved)
        # One running sum. Emptying it whenever the loop reads it would change its rounding
        self.loss_sums = torch.zeros(1, dtype=sum_dtype(self.device), device=self.device)
        if config.training.train_accuracy:
            self.right_sums = torch.zeros_like(self.loss_sums)
        self._first, self._order, self._rates = 0, torch.empty(0), list[float]()
        self._update: Callable[..., None] = self._by_positions
        self._update_on: Callable[..., None] = self._by_batch
        if is_capturable(self.optimizer, self.device):  # CUDA only
            for group in self.optimizer.param_groups:
                group["lr"] = torch.tensor(config.optimizer.lr, device=self.device)
            self._update = Captured(self._by_positions)
            self._update_on = Captured(self._by_batch)

    def begin_epoch(self, first: int, orders: Tensor, rates: Tensor) -> None:
        """See `Program`."""
        self._first = first
        self._order, self._rates = orders[0].to(self.device), rates[:, 0].tolist()

    def step(self, position: int) -> int:
        """See `Program`."""
        learner, size = self.learner, self.learner.config.training.batch_size
        batch = self._order[position * size : (position + 1) * size]
        self._set_rate(self._rates[position])
        if learner.makes_batches:
            step = self._first + position
            made = training_batch(learner.config, learner.data, batch, step=step)
            noises = learner.model.noises(len(made.x), made.num_examples, learner.generator)
            self._update_on(*made.tensors, *noises)
            return made.num_examples
        noises = learner.model.noises(learner.data.time_steps, len(batch), learner.generator)
        self._update(batch, *noises)
        return len(batch)

    def _set_rate(self, rate: float) -> None:
        for group, factor in zip(self.optimizer.param_groups, self._lr_factors, strict=True):
            if isinstance(group["lr"], Tensor):  # a CUDA graph reads it
                group["lr"].fill_(rate * factor)
            else:
                group["lr"] = rate * factor

    def _by_positions(self, batch: Tensor, *noises: Tensor) -> None:
        self._by_batch(*self.learner.data.train_batch(batch).tensors, *noises)

    def _by_batch(self, *tensors: Tensor) -> None:
        """The part of a step that runs on the device; no value is read back."""
        config, data = self.learner.config, self.learner.data
        batch, noises = data.layout.unpack(tensors)
        loss = train_step(
            self.learner.model,
            self.optimizer,
            batch,
            spec=data.spec,
            clip_norm=config.training.clip_norm,
            clip_value=config.training.clip_value,
            precision=config.device.precision,
            noises=noises,
            rights=self.right_sums,
        )
        self.loss_sums += loss * batch.num_examples

    def evaluate(self, part: PartName | int, limit: int | None = None) -> list[Evaluation]:
        """See `Program`."""
        config, model, data = self.learner.config, self.learner.model, self.learner.data
        if isinstance(part, int):
            batches = data.probe(part)
        else:
            batches = data.batches(part, config.training.eval_batch_size, limit=limit)
        with evaluating(model, self.device, config.device.precision):
            return evaluate(self._outputs, (repeated(batch, 1) for batch in batches), data.spec)

    def _outputs(self, batch: Batch) -> Tensor:
        """Outputs [1, ...] of a batch of one run."""
        lengths = None if batch.lengths is None else batch.lengths[0]
        outputs: Tensor = self.learner.model(batch.x[0], (), lengths)
        return outputs.unsqueeze(0)

    def optimizer_state(self, run: int) -> dict[str, Any]:
        """See `Program`."""
        whole = self.optimizer.state_dict()
        groups = [{**group, "lr": float(group["lr"])} for group in whole["param_groups"]]
        return {**whole, "param_groups": groups}


@contextlib.contextmanager
def evaluating(model: nn.Module, device: torch.device, precision: str) -> Iterator[None]:
    """A model in evaluation mode while the block runs, in training mode afterwards."""
    model.eval()
    try:
        with torch.inference_mode(), autocast(device, precision):
            yield
    finally:
        model.train()
