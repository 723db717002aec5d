"""Trains R runs of equal shape as one batched program.

The weights of all runs are one tensor [R, P]. `vmap` maps the model of a single run over the rows,
so no run depends on the numbers of another one.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, vmap

from mnist_seq.tasks.batches.batch import Batch, stacked
from mnist_seq.tasks.batches.stacked_data import StackedData
from mnist_seq.tasks.batches.task_data import PartName
from mnist_seq.training.batched.errors import NotStackable
from mnist_seq.training.batched.stacked_optimizer import StackedOptimizer
from mnist_seq.training.device import autocast, sum_dtype
from mnist_seq.training.loop.batch import training_batch
from mnist_seq.training.loop.cuda_graph import Captured, is_capturable
from mnist_seq.training.loop.evaluation import Evaluation, evaluate
from mnist_seq.training.loop.learner import Learner
from mnist_seq.training.loop.objective import accuracy, mean_loss
from mnist_seq.training.loop.program import Program, evaluating
from mnist_seq.training.optimizers import groups_of

Noises = tuple[Tensor, ...]


class Stack(Program):
    """Runs that may differ in seed, learning rate, weight decay, schedule and dropout rate.

    The learners' models become views of the stack's weights.

    Args:
        saved: states of the runs' optimizers to go on from; None for each at step 0.
    """

    def __init__(self, learners: Sequence[Learner], saved: Sequence[dict[str, Any] | None]) -> None:
        self.learners = list(learners)
        self.config, self.model = learners[0].config, learners[0].model
        self.device, self.num_runs = learners[0].data.device, len(learners)
        self.data = StackedData([learner.data for learner in learners])
        named = dict(self.model.named_parameters())
        self._shapes = {name: p.shape for name, p in named.items()}
        self._sizes = [p.numel() for p in named.values()]
        self._trained = _trained(self.model, self.device)
        self.weights = _joined([learner.model for learner in learners])
        self.optimizer = StackedOptimizer(
            [learner.config.optimizer for learner in learners],
            self.weights,
            shapes=self._shapes,
            groups=groups_of(self.config.optimizer, self.model),
            saved=saved,
        )
        self.loss_sums = torch.zeros(
            self.num_runs, dtype=sum_dtype(self.device), device=self.device
        )
        if self.config.training.train_accuracy:
            self.right_sums = torch.zeros_like(self.loss_sums)
        self._first, self._orders, self._rates = 0, torch.empty(0), torch.empty(0)
        self._update: Callable[..., None] = self._by_positions
        self._update_on: Callable[..., None] = self._by_batch
        if is_capturable(self.optimizer.inner, self.device):
            self._update = Captured(self._by_positions)
            self._update_on = Captured(self._by_batch)

    def begin_epoch(self, first: int, orders: Tensor, rates: Tensor) -> None:
        """See `Program`."""
        self._first = first
        self._orders = orders.to(self.device)
        self._rates = rates.to(self.device, self.weights.dtype)

    def step(self, position: int) -> int:
        """See `Program`."""
        size = self.config.training.batch_size
        batch = self._orders[:, position * size : (position + 1) * size]
        rates = self._rates[position]
        if self.learners[0].makes_batches:
            made = self._made(batch, self._first + position)
            noises = self._noises(made.x.shape[1], made.num_examples)
            self._update_on(*made.tensors, rates, *noises)
            return made.num_examples
        noises = self._noises(self.data.time_steps, batch.shape[1])
        self._update(batch, rates, *noises)
        return batch.shape[1]

    def _made(self, positions: Tensor, step: int) -> Batch:
        """Each run's batch, generated or changed at random as by that run alone."""
        return stacked(
            [
                training_batch(learner.config, learner.data, of_run, step=step)
                for learner, of_run in zip(self.learners, positions, strict=True)
            ]
        )

    def _noises(self, steps: int, batch_size: int) -> list[Tensor]:
        """Random factors [R, ...] of one step, drawn by the generator of each run."""
        each = [
            learner.model.noises(steps, batch_size, learner.generator) for learner in self.learners
        ]
        return [torch.stack(same) for same in zip(*each, strict=True)]

    def _by_positions(self, batch: Tensor, rates: Tensor, *noises: Tensor) -> None:
        self._by_batch(*self.data.train_batch(batch).tensors, rates, *noises)

    def _by_batch(self, *tensors: Tensor) -> None:
        """The part of a step that runs on the device; no value is read back."""
        batch, (rates, *noises) = self.data.layout.unpack(tensors)
        with autocast(self.device, self.config.device.precision):
            outputs = self._outputs(batch, tuple(noises))
        losses = mean_loss(self.data.spec, outputs, batch)
        (gradient,) = torch.autograd.grad(losses.sum(), self.weights)
        if self._trained is not None:
            gradient = gradient * self._trained
        clip_norms_(gradient, self.config.training.clip_norm)
        if not math.isinf(clip_value := self.config.training.clip_value):
            gradient.clamp_(-clip_value, clip_value)
        self.optimizer.step(gradient, rates)
        self.loss_sums += losses.detach() * batch.num_examples
        if self.right_sums is not None:
            right = accuracy(self.data.spec, outputs.detach(), batch)
            self.right_sums += right * batch.num_examples

    def _parameters(self) -> dict[str, Tensor]:
        parts = torch.split(self.weights, self._sizes, dim=1)
        return {
            name: part.view(self.num_runs, *shape)
            for part, (name, shape) in zip(parts, self._shapes.items(), strict=True)
        }

    def _outputs(self, batch: Batch, noises: Noises) -> Tensor:
        """Outputs [R, B, K], or [R, T, B, K] where each time step is answered."""

        def of_one(
            parameters: dict[str, Tensor], x: Tensor, noises: Noises, *lengths: Tensor
        ) -> Tensor:
            outputs: Tensor = functional_call(self.model, parameters, (x, noises, *lengths))
            return outputs

        lengths = () if batch.lengths is None else (batch.lengths,)
        try:
            found: Tensor = vmap(of_one)(self._parameters(), batch.x, noises, *lengths)
        except RuntimeError as error:
            if "vmap" in str(error) or "atching rule" in str(error):
                raise NotStackable(
                    f"model={self.config.model.name} cannot be part of a stack: "
                    f"{str(error).splitlines()[0]}; choose hydra/launcher=pool, or "
                    "sweep.unstackable=pool to have such runs trained alone"
                ) from error
            raise
        return found

    def evaluate(self, part: PartName | int, limit: int | None = None) -> list[Evaluation]:
        """See `Program`."""
        training = self.config.training
        # In total as many examples as for a run alone: they stay in a CPU's cache, and need no more
        # memory than training
        size = max(1, training.eval_batch_size // self.num_runs)
        if self.device.type != "cpu":
            size = max(size, training.batch_size)
        with evaluating(self.model, self.device, self.config.device.precision):
            if isinstance(part, int):
                batches = self.data.probe(part)
            else:
                batches = self.data.batches(part, size, limit=limit)
            return evaluate(lambda batch: self._outputs(batch, ()), batches, self.data.spec)

    def optimizer_state(self, run: int) -> dict[str, Any]:
        """See `Program`."""
        return self.optimizer.state_of(run)


def _trained(model: nn.Module, device: torch.device) -> Float[Tensor, " P"] | None:
    """1 for numbers that are trained, 0 for those of frozen weights; None where all are."""
    weights = list(model.parameters())
    if all(weight.requires_grad for weight in weights):
        return None
    parts = [torch.full((w.numel(),), float(w.requires_grad), device=device) for w in weights]
    return torch.cat(parts)


def clip_norms_(gradient: Float[Tensor, "R P"], clip_norm: float) -> None:
    """Clip the gradient of each run, as `nn.utils.clip_grad_norm_` does for a run alone."""
    if not math.isinf(clip_norm):
        norms = gradient.norm(dim=1, keepdim=True)
        gradient.mul_((clip_norm / (norms + 1e-6)).clamp(max=1.0))


def _joined(models: Sequence[nn.Module]) -> Float[Tensor, "R P"]:
    """The weights of all models in one tensor; the models' own weights become views of it."""
    weights = torch.stack(
        [torch.cat([p.detach().flatten() for p in model.parameters()]) for model in models]
    )
    for row, model in zip(weights, models, strict=True):
        start = 0
        for parameter in model.parameters():
            stop = start + parameter.numel()
            parameter.data = row[start:stop].view(parameter.shape)
            start = stop
    return weights.requires_grad_()
