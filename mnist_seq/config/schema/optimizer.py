"""Keys of `optimizer=`, named as in `torch.optim`."""

from typing import Annotated, ClassVar

from pydantic import Field

from mnist_seq.config.schema.types import Beta, Fraction, Group, NonNegative, Positive


class Optimizer(Group):
    name: str
    lr: Positive
    weight_decay: NonNegative

    def problem(self) -> str:
        """Why these values do not go together, or ""."""
        return ""


class Adam(Optimizer):
    option_names: ClassVar = ("adam", "adamw")

    betas: Beta
    eps: Positive
    amsgrad: bool


class NAdam(Optimizer):
    option_names: ClassVar = ("nadam",)

    betas: Beta
    eps: Positive
    momentum_decay: NonNegative


class RMSprop(Optimizer):
    option_names: ClassVar = ("rmsprop",)

    alpha: Fraction
    eps: Positive
    momentum: NonNegative
    centered: bool


class SGD(Optimizer):
    option_names: ClassVar = ("sgd",)

    momentum: NonNegative
    dampening: NonNegative
    nesterov: bool

    def problem(self) -> str:
        """Why these values do not go together, or ""."""
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            return (
                "optimizer.nesterov=true needs a momentum and no dampening: optimizer.momentum="
                f"{self.momentum}; write optimizer.momentum=0.9 optimizer.dampening=0"
            )
        return ""


class Adadelta(Optimizer):
    option_names: ClassVar = ("adadelta",)

    rho: Annotated[float, Field(ge=0, le=1)]
    eps: Positive


class Adagrad(Optimizer):
    option_names: ClassVar = ("adagrad",)

    lr_decay: NonNegative
    eps: Positive
    initial_accumulator_value: NonNegative
