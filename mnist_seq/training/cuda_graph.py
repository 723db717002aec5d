"""A training step as a CUDA graph. What only runs on CUDA stands in this file, and in few lines
elsewhere that say so.

Written by torch's notes on CUDA graphs and the source of torch 2.13; it has not run on a GPU yet.
"""

from collections.abc import Callable

import torch
from torch import Tensor

WARM_UP = 3  # steps before the capture: lazy buffers are made then, and kernels loaded


def is_capturable(optimizer: torch.optim.Optimizer, device: torch.device) -> bool:
    """Whether a step of this optimizer can be a graph: torch's Adagrad counts on the CPU."""
    return device.type == "cuda" and not isinstance(optimizer, torch.optim.Adagrad)


class Captured:
    """A function of tensors without a result, replayed as one graph for each shape of its inputs.

    Whatever it changes must stay where it is in memory. Its first calls run it as it stands, on a
    stream of their own, as a capture wants it; they count as calls.
    """

    def __init__(self, function: Callable[..., None]) -> None:
        self._function = function
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._graphs: dict[tuple[torch.Size, ...], _Graph] = {}

    def __call__(self, *inputs: Tensor) -> None:
        """Call the function; nothing waits for the device, but at a capture."""
        key = tuple(tensor.shape for tensor in inputs)
        if key not in self._graphs:
            self._graphs[key] = _Graph(self._function, inputs, self._stream)
        self._graphs[key](inputs)


class _Graph:
    """The graph of one shape of inputs."""

    def __init__(
        self, function: Callable[..., None], inputs: tuple[Tensor, ...], stream: torch.cuda.Stream
    ) -> None:
        self._function, self._stream = function, stream
        self._inputs = [tensor.clone() for tensor in inputs]  # where the graph reads
        self._graph: torch.cuda.CUDAGraph | None = None
        self._num_calls = 0

    def __call__(self, inputs: tuple[Tensor, ...]) -> None:
        for mine, given in zip(self._inputs, inputs, strict=True):
            mine.copy_(given)
        self._num_calls += 1
        if self._num_calls <= WARM_UP:
            self._stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._stream):
                self._function(*self._inputs)
            torch.cuda.current_stream().wait_stream(self._stream)
            return
        if self._graph is None:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=self._stream):  # records, and runs nothing
                self._function(*self._inputs)
            self._graph = graph
        self._graph.replay()
