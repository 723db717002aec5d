"""Lion: each weight steps by the sign of an interpolated momentum.

Source: Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms", arXiv:2302.06675,
algorithm 2.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor


class Lion(torch.optim.Optimizer):
    """Sign updates with decoupled weight decay.

    Args:
        params: weights, or groups of them.
        betas: of the interpolation whose sign is the step, and of the momentum.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor,
        betas: Sequence[float],
        weight_decay: float,
    ) -> None:
        if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas must be two numbers from 0 to below 1: {betas}")
        defaults = {
            "lr": lr,
            "betas": betas,
            "weight_decay": weight_decay,
            "decoupled_weight_decay": True,
            "capturable": True,  # no value is asked for
        }
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update all weights once."""
        for group in self.param_groups:
            lr, (beta1, beta2) = group["lr"], group["betas"]
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["exp_avg"] = torch.zeros_like(weight)
                momentum = state["exp_avg"]
                direction = momentum.lerp(weight.grad, 1 - beta1).sign_()
                weight.mul_(1 - lr * group["weight_decay"]).sub_(direction.mul_(lr))
                momentum.lerp_(weight.grad, 1 - beta2)
