"""Tries an optimizer on small weights: whether it takes its keys, what it keeps, if it stacks."""

import contextlib
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mnist_seq.config import ConfigError
from mnist_seq.config.schema import Optimizer
from mnist_seq.models import ParameterGroup
from mnist_seq.training.batched.stacked_optimizer import StackedOptimizer
from mnist_seq.training.optimizers import (
    OwnOptimizer,
    build_optimizer,
    class_of,
    divide,
    options_of,
)

_CPU = torch.device("cpu")
_SHAPES = {"rnn.matrix": torch.Size((3, 4)), "head.vector": torch.Size((5,))}
_GROUPS = (
    ParameterGroup("rest", ("rnn.matrix",)),
    ParameterGroup("own", ("head.vector",), lr_factor=0.5, is_decayed=False),
)
_RATES = ((0.1, 0.02), (0.03, 0.1))  # learning rate and weight decay of two runs
_COURSE = (1.0, 0.5, 2.0, 0.25)  # factors of the learning rate, one a step


@dataclass(frozen=True)
class Traits:
    """What a few steps show of an optimizer.

    Attributes:
        num_averages: numbers that it keeps for each weight, beside the weight and its gradient.
        stack_problem: why runs with it cannot be trained as a stack, or "".
    """

    num_averages: int
    stack_problem: str


_found: dict[str, Traits] = {}


def traits(optimizer: Optimizer) -> Traits:
    """Try an optimizer: once for all learning rates, and for all weight decays but 0.

    Raises:
        ConfigError: there is no such optimizer, it refuses its keys, or it cannot take a step.
    """
    unit = optimizer.model_copy(
        update={"lr": 1.0, "weight_decay": 1.0 if optimizer.weight_decay else 0.0}
    )
    key = unit.model_dump_json()
    if key not in _found:
        options_of(optimizer)
        with _one_thread():
            _found[key] = _try(unit)
    return _found[key]


def _try(unit: Optimizer) -> Traits:
    runs = [
        unit.model_copy(update={"lr": lr, "weight_decay": decay * unit.weight_decay})
        for lr, decay in _RATES
    ]
    singles = [_Single(run) for run in runs]
    try:
        for step in range(len(_COURSE)):
            for i, single in enumerate(singles):
                single.step(step, _gradients(step, i))
    except Exception as error:  # an own optimizer may raise anything
        raise ConfigError(
            f"optimizer={unit.name} must take a step without a closure, on any gradient: "
            f"{type(error).__name__}: {_first_line(error)}; choose another optimizer"
        ) from error
    cls = class_of(unit.name)
    problem = cls.stack_problem if issubclass(cls, OwnOptimizer) else ""
    if not problem and not _is_equal_in_a_stack(runs, singles):
        problem = (
            "its step is not the learning rate times a direction that each weight's own gradients "
            "decide"
        )
    return Traits(min(single.num_averages() for single in singles), problem)


class _Single:
    """The weights of one run, and its optimizer."""

    def __init__(self, settings: Optimizer) -> None:
        self.lr = settings.lr
        generator = torch.Generator().manual_seed(0)
        self.weights = {
            name: nn.Parameter(torch.randn(shape, generator=generator, dtype=torch.float64))
            for name, shape in _SHAPES.items()
        }
        self.groups = divide(settings, _GROUPS, self.weights)
        self.optimizer = build_optimizer(settings, self.groups, self.weights, _CPU)

    def step(self, step: int, gradients: Sequence[Tensor]) -> None:
        for weight, gradient in zip(self.weights.values(), gradients, strict=True):
            weight.grad = gradient
        for group, own in zip(self.optimizer.param_groups, self.groups, strict=True):
            group["lr"] = self.lr * _COURSE[step] * own.lr_factor
        self.optimizer.step()

    def flat(self) -> Tensor:
        return torch.cat([weight.detach().flatten() for weight in self.weights.values()])

    def num_averages(self) -> int:
        """The least over the weights."""
        return min(
            sum(
                isinstance(value, Tensor) and value.shape == weight.shape
                for value in self.optimizer.state[weight].values()
            )
            for weight in self.weights.values()
        )


def _is_equal_in_a_stack(runs: Sequence[Optimizer], singles: Sequence[_Single]) -> bool:
    """Whether the runs as a stack have the weights that they have alone after the last step."""
    try:
        weights = torch.stack([_Single(run).flat() for run in runs])
        stacked = StackedOptimizer(
            runs, weights, shapes=_SHAPES, groups=singles[0].groups, saved=[None] * len(runs)
        )
        for step, factor in enumerate(_COURSE):
            rows = [
                torch.cat([gradient.flatten() for gradient in _gradients(step, i)])
                for i in range(len(runs))
            ]
            rates = torch.tensor([run.lr * factor for run in runs], dtype=torch.float64)
            stacked.step(torch.stack(rows), rates)
    except (TypeError, ValueError, RuntimeError):
        return False
    alone = torch.stack([single.flat() for single in singles])
    return torch.allclose(weights, alone, rtol=1e-6, atol=1e-9)


@functools.cache
def _gradients(step: int, run: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(100 * step + run)
    return [
        torch.randn(shape, generator=generator, dtype=torch.float64) for shape in _SHAPES.values()
    ]


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """One thread of torch while the block runs: many take 100 times as long on small tensors."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else ""
