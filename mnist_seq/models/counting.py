"""Counts what a model costs at each time step, by running one time step and counting its products.

A product is one multiplication (or division) of two numbers, with the addition that follows it, if
any: those of matrices, and those element by element. What activations and layer norms compute
inside is not counted, nor what depends on the weights alone. Of an RMS norm, two products a value
are counted.
"""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

_aten = torch.ops.aten
_BY_ELEMENT = {
    _aten.mul,
    _aten.mul_,
    _aten.div,
    _aten.div_,
    _aten.addcmul,
    _aten.addcmul_,
    _aten.lerp,
    _aten.lerp_,
}
# Of matrices: which argument has the inner size as its last axis
_OF_MATRICES = {_aten.mm: 0, _aten.bmm: 0, _aten.mv: 0, _aten.addmm: 1, _aten.baddbmm: 1}


class Counts(NamedTuple):
    """What a model costs, whatever its number of parameters and the machine.

    Attributes:
        state_size: numbers that it carries from one time step to the next.
        multiply_adds: products at one time step of one example, see the module's docstring.
    """

    state_size: int
    multiply_adds: int

    def plus(self, *others: "Counts") -> "Counts":
        """The sum of several."""
        return Counts(*(sum(each) for each in zip(self, *others, strict=True)))


NOTHING = Counts(0, 0)


def multiply_adds(run: Callable[..., Any], *inputs: Tensor, batch_axis: int = 1) -> int:
    """Products that a function takes for one more example.

    Args:
        run: of inputs with an axis of examples; in evaluation, without autograd.
        inputs: of one example, on any device; on `meta`, nothing is computed.
        batch_axis: of the examples.
    """
    one, two = (
        _products(run, *(x.expand(*x.shape[:batch_axis], num, *x.shape[batch_axis + 1 :])
                         for x in inputs))
        for num in (1, 2)
    )  # fmt: skip
    return two - one  # what depends on the weights alone is in both


def _products(run: Callable[..., Any], *inputs: Tensor) -> int:
    counter = _Counter()
    with torch.no_grad(), counter:
        run(*inputs)
    return counter.num


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the products of all operations inside its block.

    An operation on the same values is counted once: a step and its output may share some. Values
    are the same where the same operations made them; a number stands for each.
    """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled here. Else torch imports its compiler, for more than a second."""
        return False

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.num = 0
        self._numbers: dict[int, int] = {}  # of a tensor, by its id
        self._results: dict[Any, list[int]] = {}  # of the results of an operation
        self._unused = itertools.count()
        self._alive: list[Tensor] = []  # an id may be given anew where a tensor is gone

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        leaves = [self._number(x) if isinstance(x, Tensor) else repr(x)
                  for x in tree_leaves((args, kwargs))]  # fmt: skip
        result = func(*args, **kwargs)
        made = [x for x in tree_leaves(result) if isinstance(x, Tensor)]
        key = (func, *leaves)
        if key in self._results and not func._schema.is_mutable:
            numbers = self._results[key]
        else:
            self.num += _products_of(func.overloadpacket, args, kwargs, result)
            numbers = self._results[key] = [self._new() for _ in made]
        for tensor, number in zip(made, numbers, strict=True):
            self._numbers[id(tensor)] = number
            self._alive.append(tensor)
        return result

    def _number(self, tensor: Tensor) -> int:
        if id(tensor) not in self._numbers:
            self._numbers[id(tensor)] = self._new()
            self._alive.append(tensor)
        return self._numbers[id(tensor)]

    def _new(self) -> int:
        return next(self._unused)


def _products_of(packet: Any, args: Any, kwargs: Any, result: Any) -> int:
    """Products of one operation of torch."""
    if packet in _OF_MATRICES:
        return int(result.numel() * args[_OF_MATRICES[packet]].shape[-1])
    if packet in _BY_ELEMENT:
        # a product with a constant is part of a formula, such as 2 * x
        if all(isinstance(each, Tensor) and each.dim() for each in args[:2]):
            return int(result.numel())
    elif packet in flop_registry:  # convolutions, attention
        return int(flop_registry[packet](*args, **kwargs, out_val=result) // 2)
    return 0
