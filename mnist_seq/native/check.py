"""Finds the library for this machine, and checks that it computes what torch computes."""

import contextlib
import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_seq.native.build import Unavailable, build, find_compiler
from mnist_seq.native.compiled import Library
from mnist_seq.native.layout import CELLS, Layout, Rule, Source

if TYPE_CHECKING:
    from torch import Tensor

# hidden, inputs, layers, batch, time steps: with pads and without, and each tile of rows
SHAPES = ((5, 3, 2, 13, 4), (64, 28, 1, 7, 3), (17, 1, 1, 2, 70))
WORST = 1e-4  # relative distance of a gradient; what is right has less than 1e-6


def library() -> Library:
    """The library for this machine: compiled at first use, and checked once.

    Raises:
        Unavailable: it cannot be compiled or loaded, or does not compute what torch computes.
    """
    found = _library(tuple(find_compiler()), os.environ.get("MNIST_SEQ_CACHE"))
    if isinstance(found, Library):
        return found
    raise Unavailable(found)


@functools.cache
def _library(compiler: tuple[str, ...], cache: str | None) -> Library | str:
    """The library, or why there is none: a compiler may take minutes to fail, for each variant."""
    try:
        return checked(build(compiler=list(compiler)))
    except Unavailable as error:
        return str(error)


def checked(path: Path) -> Library:
    """A compiled library that passes the check now, or that has passed it earlier.

    Raises:
        Unavailable: it cannot be loaded, or does not compute what torch computes.
    """
    try:
        found = Library(path)
    except (OSError, AttributeError) as error:
        raise Unavailable(f"the compiled native step cannot be loaded: {error}") from error
    once(found, "", lambda: _check_all(found))
    return found


def once(library: Library, name: str, check: Callable[[], None]) -> None:
    """Check a library, unless it has passed this check earlier.

    Args:
        name: of the check: letters, digits and hyphens.
        check: raises where the library fails.
    """
    mark = library.path.with_suffix(f".{name}.checked" if name else ".checked")
    if mark.exists():
        return
    check()
    with contextlib.suppress(OSError):  # of another user; the next process checks again
        mark.touch()


def _check_all(library: Library) -> None:
    for cell in CELLS:
        for shape in SHAPES:
            _check(library, cell, shape)


def _check(library: Library, cell: str, shape: tuple[int, int, int, int, int]) -> None:
    import torch  # imported here: a plan finds a library that was checked, without torch

    from mnist_seq.native.net import Net

    hidden, inputs, layers, batch, time_steps = shape
    layout = Layout(cell, inputs, hidden, layers, 3)
    draw = torch.Generator().manual_seed(0)
    bound = hidden**-0.5
    weights = [(2 * torch.rand(size, generator=draw) - 1) * bound for size in layout.shapes]
    x = torch.randn(batch, time_steps, inputs, generator=draw)
    y = torch.randint(3, (batch,), generator=draw)
    net = Net(library, layout, Rule("sgd"), weights, [1.0] * len(weights), [0.0] * len(weights))
    _, found = net.gradients(Source(x), None, y)
    for mine, torchs in zip(found, _by_torch(layout, weights, x, y), strict=True):
        if not float((mine - torchs).norm()) <= WORST * float(torchs.norm()):
            raise Unavailable(
                f"the native step is not used: its gradients of {cell} with {hidden} hidden units "
                "are not torch's"
            )


def _by_torch(layout: Layout, weights: "list[Tensor]", x: "Tensor", y: "Tensor") -> "list[Tensor]":
    import torch
    from torch.nn import functional as F

    kind, _, activation = layout.cell.partition("_")
    zeros = x.new_zeros(layout.layers, len(x), layout.hidden)
    run = getattr(torch, f"rnn_{activation}" if activation else kind)
    state = (zeros, zeros) if kind == "lstm" else zeros
    with torch.enable_grad():
        leaves = [weight.clone().requires_grad_() for weight in weights]
        options = (True, layout.layers, 0.0, True, False, False)
        outputs = run(x.transpose(0, 1), state, leaves[:-2], *options)[0]
        loss = F.cross_entropy(F.linear(outputs[-1], *leaves[-2:]), y)
        return list(torch.autograd.grad(loss, leaves))
