"""Parameter groups: which weights of a model have their own learning rate, or do not decay."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from torch import nn

REST = "rest"  # the group of all weights that no part of a model groups


@dataclass(frozen=True)
class ParameterGroup:
    """Weights that the optimizer treats alike.

    Attributes:
        name: of the group. Groups of one name in several layers or directions are one group.
        weights: their names, as in `named_parameters()` of the module that returns the group.
        lr_factor: the group's learning rate, as a fraction of `optimizer.lr`.
        is_decayed: whether `optimizer.weight_decay` applies.
        kind: set by an optimizer that treats kinds of weights differently; see `kind_of` there.
    """

    name: str
    weights: tuple[str, ...]
    lr_factor: float = 1.0
    is_decayed: bool = True
    kind: str = ""


@runtime_checkable
class HasGroups(Protocol):
    """A module some of whose weights have groups of their own."""

    def parameter_groups(self) -> list[ParameterGroup]:
        """The groups. Weights that none of them names are in the group `rest`."""
        ...


def collect(model: nn.Module) -> list[ParameterGroup]:
    """All weights of a model, each in one group: `rest` first, then what its modules return.

    Raises:
        ValueError: a group names a weight that is not there, or that another group has, or two
            groups of one name differ.
    """
    found: dict[str, ParameterGroup] = {}
    for path, module in model.named_modules():
        if module is not model and isinstance(module, HasGroups):
            for group in module.parameter_groups():
                own = tuple(f"{path}.{weight}" for weight in group.weights)
                before = found.get(group.name, replace(group, weights=()))
                if before != replace(group, weights=before.weights):
                    raise ValueError(f"all parameter groups {group.name} of a model must be equal")
                found[group.name] = replace(group, weights=(*before.weights, *own))
    names = [name for name, _ in model.named_parameters()]
    grouped = [weight for group in found.values() for weight in group.weights]
    _check_each_once(grouped, names)
    rest = tuple(name for name in names if name not in set(grouped))
    return [ParameterGroup(REST, rest)] * bool(rest) + list(found.values())


def _check_each_once(grouped: Iterable[str], names: Iterable[str]) -> None:
    left = set(names)
    for weight in grouped:
        if weight not in left:
            raise ValueError(
                f"a parameter group must name a weight of its module, once: {weight}; "
                f"the weights are {', '.join(names)}"
            )
        left.remove(weight)
