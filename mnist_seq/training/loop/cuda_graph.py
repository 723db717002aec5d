"""Records a training step as a CUDA graph and replays it.

Code that only runs on CUDA is in this file, and in a few lines elsewhere that say so. It follows
torch's notes on CUDA graphs and the source of torch 2.13, and has not run on a GPU yet.
"""

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from mnist_seq.training.memory import is_out_of_memory

log = logging.getLogger("mnist_seq.training")

WARM_UP = 3  # steps before the capture, which load kernels and make lazy buffers


def is_capturable(optimizer: torch.optim.Optimizer, device: torch.device) -> bool:
    """Whether a step of this optimizer can be a graph; torch's Adagrad counts steps on the CPU."""
    counts_on_device = optimizer.defaults.get("capturable", False)
    return device.type == "cuda" and (counts_on_device or isinstance(optimizer, torch.optim.SGD))


class Captured:
    """A function of tensors without a result, replayed as one graph for each shape of its inputs.

    The tensors that the function changes must keep their places in memory. The first calls run the
    function itself, on a stream of their own, as a capture requires. If the capture fails, all
    later calls run the function itself, and a warning says so.
    """

    def __init__(self, function: Callable[..., None]) -> None:
        self._function = function
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()  # one for all: no two graphs run at a time
        self._graphs: dict[tuple[torch.Size, ...], _Graph] = {}
        self._is_refused = False

    def __call__(self, *inputs: Tensor) -> None:
        """Call the function. Nothing waits for the device, except during a capture."""
        if self._is_refused:
            self._function(*inputs)
            return
        key = tuple(tensor.shape for tensor in inputs)
        if key not in self._graphs:
            self._graphs[key] = _Graph(self._function, inputs)
        graph = self._graphs[key]
        graph.fill(inputs)
        if graph.num_calls < WARM_UP:
            graph.run_on(self._stream)
            return
        try:
            graph.capture(self._stream, self._pool)
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            reason = " ".join(str(error).split())[:300]
            log.warning("Training steps run kernel by kernel, without a CUDA graph: %s", reason)
            self._is_refused = True
            self._graphs.clear()
            self._function(*inputs)
            return
        graph.replay()


class _Graph:
    """The graph of one shape of inputs."""

    def __init__(self, function: Callable[..., None], inputs: tuple[Tensor, ...]) -> None:
        self._function = function
        self._inputs = [tensor.clone() for tensor in inputs]  # the graph reads these copies
        self._graph: torch.cuda.CUDAGraph | None = None
        self.num_calls = 0  # before the capture

    def fill(self, inputs: tuple[Tensor, ...]) -> None:
        for mine, given in zip(self._inputs, inputs, strict=True):
            mine.copy_(given)

    def run_on(self, stream: torch.cuda.Stream) -> None:
        self.num_calls += 1
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            self._function(*self._inputs)
        torch.cuda.current_stream().wait_stream(stream)

    def capture(self, stream: torch.cuda.Stream, pool: Any) -> None:
        """Record the function without running it; later calls do nothing."""
        if self._graph is None:
            graph = torch.cuda.CUDAGraph()
            capture = torch.cuda.graph(graph, pool=pool, stream=stream)
            with torch.cuda.stream(stream), capture:  # a capture that fails stays on its stream
                self._function(*self._inputs)
            self._graph = graph

    def replay(self) -> None:
        assert self._graph is not None
        self._graph.replay()
