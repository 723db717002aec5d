"""One optimizer over a stack, with a learning rate and a weight decay for each run.

The update of an optimizer that can be stacked is linear in the learning rate. So the optimizer
works at the learning rate 1 on a tensor of zeros, and after a step this tensor holds the negative
direction of each run. The run's learning rate times this direction is its step. Nothing cancels,
and torch's own kernels do the work.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mnist_seq.config.schema import Optimizer
from mnist_seq.models import ParameterGroup
from mnist_seq.training.optimizers import build_optimizer, load_state

_STACK = ParameterGroup("stack", ("stack",))


class StackedOptimizer:
    """An optimizer over weights [R, P].

    Args:
        optimizers: settings of each run; they differ in lr and weight_decay only.
        shapes: shapes of a run's weights by name, in the order of a row [P].
        groups: parameter groups of a run's optimizer, in its order.
        saved: for each run, the state that its optimizer alone would save, or None.

    Attributes:
        inner: torch's optimizer of the zeros.
    """

    def __init__(
        self,
        optimizers: Sequence[Optimizer],
        weights: Float[Tensor, "R P"],
        *,
        shapes: Mapping[str, torch.Size],
        groups: Sequence[ParameterGroup],
        saved: Sequence[dict[str, Any] | None],
    ) -> None:
        self._optimizers, self._weights = list(optimizers), weights
        self._shapes, self._groups = dict(shapes), list(groups)
        self._names = [name for group in groups for name in group.weights]
        is_frozen = len(self._names) < len(self._shapes)
        self._update = nn.Parameter(torch.zeros_like(weights))
        unit = optimizers[0].model_copy(update={"lr": 1.0, "weight_decay": 0.0})
        self.inner = build_optimizer(
            unit, [_STACK], {"stack": self._update}, weights.device, is_capturable=True
        )
        decays = weights.new_tensor([optimizer.weight_decay for optimizer in optimizers])
        self._decay: Tensor | None = None  # [R, 1], or [R, P] where not all weights decay
        if any(optimizer.weight_decay for optimizer in optimizers):
            self._decay = decays.unsqueeze(1)
            if is_frozen or not all(group.is_decayed for group in groups):
                self._decay = self._decay * self._by_weight(lambda group: float(group.is_decayed))
        self._factors: Tensor | None = None  # [P], of the learning rate
        if is_frozen or any(group.lr_factor != 1.0 for group in groups):
            self._factors = self._by_weight(lambda group: group.lr_factor)
        self._is_decoupled = bool(self.inner.defaults.get("decoupled_weight_decay"))
        self._rates = weights.new_zeros(len(weights))
        self._load([one for one in saved if one is not None])

    def _by_weight(self, value_of: Callable[[ParameterGroup], float]) -> Float[Tensor, " P"]:
        """One value for each weight: that of its group; 0 for a frozen one."""
        values = {name: value_of(group) for group in self._groups for name in group.weights}
        parts = [
            self._weights.new_full((shape.numel(),), values.get(name, 0.0))
            for name, shape in self._shapes.items()
        ]
        return torch.cat(parts)

    @torch.no_grad()
    def step(self, gradient: Float[Tensor, "R P"], rates: Float[Tensor, " R"]) -> None:
        """Update the weights; nothing is read back from the device."""
        weights = self._weights.detach()
        rate = rates.unsqueeze(1)
        if self._factors is not None:
            rate = rate * self._factors
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
        """The state of one run, in the form that its optimizer alone would save."""
        whole = self.inner.state_dict()
        groups, first = [], 0
        for group in self._groups:
            decay = self._optimizers[run].weight_decay if group.is_decayed else 0.0
            own = {"lr": float(self._rates[run]) * group.lr_factor, "weight_decay": decay}
            params = list(range(first, first + len(group.weights)))
            groups.append({**whole["param_groups"][0], **own, "params": params})
            first += len(group.weights)
        state: dict[int, dict[str, Any]] = {i: {} for i in range(first)} if whole["state"] else {}
        for key, value in whole["state"].get(0, {}).items():
            parts = self._parts(value, run)
            for i, name in enumerate(self._names):
                state[i][key] = parts[name]
        return {"state": state, "param_groups": groups}

    def _parts(self, value: Any, run: int) -> dict[str, Any]:
        """The part of a state that belongs to one run; only tensors [R, P] differ between runs."""
        if not isinstance(value, Tensor):
            return dict.fromkeys(self._shapes, value)
        if value.shape != self._weights.shape:
            return {name: value.clone() for name in self._shapes}
        parts = torch.split(value[run], [shape.numel() for shape in self._shapes.values()])
        return {
            name: part.view(shape).clone()
            for part, (name, shape) in zip(parts, self._shapes.items(), strict=True)
        }

    def _load(self, saved: Sequence[dict[str, Any]]) -> None:
        """Load the states of the runs: tensors of weights are stacked, others are of one run."""
        at = {name: i for i, name in enumerate(self._names)}
        runs = [one["state"] for one in saved if one["state"]]
        first = self._names[0]
        shape, state = self._shapes[first], {}
        for key, value in runs[0][at[first]].items() if runs else ():
            if isinstance(value, Tensor) and value.shape == shape and value.dim():
                rows = [
                    torch.cat([self._part(of, at.get(name), key, name) for name in self._shapes])
                    for of in runs
                ]
                state[key] = torch.stack(rows)
            else:
                state[key] = value
        if state:  # an empty state would remove Adagrad's initial accumulator
            groups = self.inner.state_dict()["param_groups"]
            load_state(self.inner, {"state": {0: state}, "param_groups": groups})

    def _part(self, state: Mapping[int, Any], at: int | None, key: str, name: str) -> Tensor:
        """A weight's part of a run's state, flat; zeros for a frozen weight."""
        if at is None:
            return self._weights.new_zeros(self._shapes[name].numel())
        part: Tensor = state[at][key].flatten()
        return part
