"""One of torch's optimizers over a stack, with a learning rate and a weight decay for each run.

The updates of all optimizers in `LINEAR` are linear in the learning rate. So torch's own optimizer
works at the rate 1 on a tensor of zeros, which holds the negative of each run's direction then; the
run's rate times that is its step. Nothing cancels, and torch's kernels do the work.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mnist_seq.config.schema import Optimizer
from mnist_seq.training.optimizers import build_optimizer, load_state


class StackedOptimizer:
    """torch's optimizer over weights [R, P].

    Args:
        optimizers: of each run; they differ in lr and weight_decay alone.
        shapes: of a run's parameters, which lie side by side in a row.
        saved: states of the runs' optimizers, each as a run alone saves it; or None for each.

    Attributes:
        inner: torch's optimizer of the zeros.
    """

    def __init__(
        self,
        optimizers: Sequence[Optimizer],
        weights: Float[Tensor, "R P"],
        *,
        shapes: Sequence[torch.Size],
        saved: Sequence[dict[str, Any] | None],
    ) -> None:
        self._optimizers, self._weights, self._shapes = list(optimizers), weights, list(shapes)
        self._update = nn.Parameter(torch.zeros_like(weights))
        unit = optimizers[0].model_copy(update={"lr": 1.0, "weight_decay": 0.0})
        self.inner = build_optimizer(unit, [self._update], weights.device, is_capturable=True)
        decays = [optimizer.weight_decay for optimizer in optimizers]
        self._decay = weights.new_tensor(decays).unsqueeze(1) if any(decays) else None
        self._is_decoupled = bool(self.inner.defaults.get("decoupled_weight_decay"))
        self._rates = weights.new_zeros(len(weights))
        self._load([one for one in saved if one is not None])

    @torch.no_grad()
    def step(self, gradient: Float[Tensor, "R P"], rates: Float[Tensor, " R"]) -> None:
        """Update the weights; no value is asked for."""
        weights = self._weights.detach()
        rate = rates.unsqueeze(1)
        if self._decay is not None and not self._is_decoupled:
            gradient = gradient.addcmul(weights, self._decay)
        self._update.grad = gradient
        self.inner.step()
        if self._decay is not None and self._is_decoupled:
            weights.mul_(1 - rate * self._decay)
        weights.addcmul_(self._update, rate)
        self._update.zero_()
        self._rates.copy_(rates)

    def state_of(self, run: int) -> dict[str, Any]:
        """One run's state, as its optimizer alone would have it."""
        whole = self.inner.state_dict()
        own = {"lr": float(self._rates[run]), "weight_decay": self._optimizers[run].weight_decay}
        group = {**whole["param_groups"][0], **own, "params": list(range(len(self._shapes)))}
        state: dict[int, dict[str, Any]] = {i: {} for i in group["params"] if whole["state"]}
        for key, value in whole["state"].get(0, {}).items():
            for i, part in enumerate(self._parts(value, run)):
                state[i][key] = part
        return {"state": state, "param_groups": [group]}

    def _parts(self, value: Any, run: int) -> list[Any]:
        """A run's share of a state, by parameters; what is no [R, P] is the same for all."""
        if not isinstance(value, Tensor):
            return [value] * len(self._shapes)
        if value.shape != self._weights.shape:
            return [value.clone() for _ in self._shapes]
        parts = torch.split(value[run], [shape.numel() for shape in self._shapes])
        return [part.view(shape).clone() for part, shape in zip(parts, self._shapes, strict=True)]

    def _load(self, saved: Sequence[dict[str, Any]]) -> None:
        runs = [
            [one["state"][i] for i in range(len(self._shapes))] for one in saved if one["state"]
        ]
        state = {}
        for key, value in runs[0][0].items() if runs else ():
            if isinstance(value, Tensor) and value.shape == self._shapes[0] and value.dim():
                rows = [torch.cat([part[key].flatten() for part in run]) for run in runs]
                state[key] = torch.stack(rows)
            else:
                state[key] = value
        if state:  # an empty one would take from Adagrad what it begins with
            groups = self.inner.state_dict()["param_groups"]
            load_state(self.inner, {"state": {0: state}, "param_groups": groups})
