"""A net that is trained and read by the compiled library."""

import ctypes
import weakref
from collections.abc import Sequence

import torch
from torch import Tensor

from mnist_seq.native.compiled import CRule, CSource, Library
from mnist_seq.native.layout import CELLS, READOUTS, RULES, Layout, Rule, Source


class Net:
    """Weights and optimizer state in torch's tensors, and the updates of them.

    Args:
        weights: float32 and contiguous, on the CPU, in the order of `Layout.shapes`. They are
            changed in place, and must keep their memory.
        lr_factors: of each weight: its learning rate, as a fraction of `rate`; 0 keeps the weight.
        weight_decays: of each weight.
        threads: threads that share a step; the numbers do not depend on them. A process that is
            forked off has none of them: make its nets there.

    Attributes:
        state: for each name of `Rule.state_names` a tensor a weight, changed in place. A checkpoint
            is loaded by copying into them, and by setting `num_steps`.
        num_steps: updates so far.
        loss_sum: float64 [1]: the sum of the losses of the examples of all steps.

    Raises:
        ValueError: the weights are not those of the layout.
    """

    def __init__(
        self,
        library: Library,
        layout: Layout,
        rule: Rule,
        weights: Sequence[Tensor],
        lr_factors: Sequence[float],
        weight_decays: Sequence[float],
        *,
        threads: int = 1,
    ) -> None:
        self.layout, self.rule, self.weights = layout, rule, [w.detach() for w in weights]
        self._check(lr_factors, weight_decays)
        if threads < 1:
            raise ValueError(f"threads must be 1 or more: {threads}")
        self.state = {n: [torch.zeros_like(w) for w in self.weights] for n in rule.state_names}
        self.num_steps = 0
        self.loss_sum = torch.zeros(1, dtype=torch.float64)
        self._library, self._functions = library, library.functions
        num = len(self.weights)
        made = self._functions.native_new(
            CELLS.index(layout.cell), layout.inputs, layout.hidden, layout.layers, layout.outputs,
            READOUTS.index(layout.readout), threads, _addresses(self.weights),
            (ctypes.c_int64 * num)(*(w.numel() for w in self.weights)),
        )  # fmt: skip
        if not made:
            raise MemoryError("no memory for a native net")
        self._net = ctypes.c_void_p(made)
        weakref.finalize(self, self._functions.native_free, self._net)
        self._lr_factors = (ctypes.c_double * num)(*lr_factors)
        self._weight_decays = (ctypes.c_double * num)(*weight_decays)
        pointers = [each.data_ptr() for of in zip(*self.state.values(), strict=True) for each in of]
        size = len(self.state)
        self._state = (ctypes.c_void_p * (3 * num))()
        for i, pointer in enumerate(pointers):
            self._state[3 * (i // size) + i % size] = pointer
        self._rule = CRule(
            RULES.index(rule.name),
            *(rule.get(n) for n in ("beta1", "beta2", "eps", "momentum", "dampening", "alpha")),
            int(rule.get("nesterov")), int(rule.get("centered")), rule.clip_norm,
        )  # fmt: skip
        self._loss = ctypes.c_double()
        self._last: tuple[Source, CSource] | None = None

    def step(
        self,
        source: Source,
        order: Tensor | None,
        targets: Tensor,
        rate: float,
        noises: tuple[Tensor, ...] = (),
    ) -> None:
        """Update the weights once by the mean cross-entropy over a batch.

        Args:
            order: int64 [B], positions in `source.rows`, or in its data; None takes all of them.
            targets: int64 [B], the classes of the batch.
            rate: learning rate.
            noises: factors of dropout: [T, B, H] between layers, then [B, H] before the head; as
                `Classifier.noises` draws them. Empty for none.

        Raises:
            IndexError: a position or a class is out of range; nothing was updated.
        """
        self._gradients(source, order, targets, noises)
        self.loss_sum += self._loss.value
        self.num_steps += 1
        self._functions.native_update(
            self._net, ctypes.byref(self._rule), self.num_steps, rate, self._lr_factors,
            self._weight_decays, self._state,
        )  # fmt: skip

    def gradients(
        self,
        source: Source,
        order: Tensor | None,
        targets: Tensor,
        noises: tuple[Tensor, ...] = (),
    ) -> tuple[float, list[Tensor]]:
        """The mean loss of a batch and its gradients, before clipping; no update. See `step`."""
        self._gradients(source, order, targets, noises)
        found = [torch.empty_like(weight) for weight in self.weights]
        for i, gradient in enumerate(found):
            where = self._functions.native_gradient(self._net, i)
            ctypes.memmove(gradient.data_ptr(), where, 4 * gradient.numel())
        return self._loss.value / len(targets), found

    def outputs(self, x: Tensor) -> Tensor:
        """The logits [B, C] of sequences [B, T, D], without dropout.

        An example has the same bits in every batch.
        """
        source = Source(x)
        num, time_steps, _ = self._sizes(source)
        found = torch.empty(num, self.layout.outputs)
        done = self._functions.native_outputs(
            self._net, ctypes.byref(_c_source(source)), num, time_steps, found.data_ptr()
        )
        _check_status(done)
        return found

    def _gradients(
        self, source: Source, order: Tensor | None, targets: Tensor, noises: tuple[Tensor, ...]
    ) -> None:
        num, time_steps, _ = self._sizes(source)
        size = num if order is None else len(order)
        if not size:
            raise ValueError("a batch must hold 1 example or more: 0")
        _check_indices("targets", targets, size)
        if order is not None:
            _check_indices("order", order, size)
        self._check_noises(noises, time_steps, size)
        masks = _addresses(noises[:-1]) if noises[:-1] else None
        done = self._functions.native_gradients(
            self._net,
            ctypes.byref(self._c_source(source)),
            None if order is None else order.data_ptr(),
            size,
            time_steps,
            targets.data_ptr(),
            masks,
            noises[-1].data_ptr() if noises else None,
            ctypes.byref(self._loss),
        )
        _check_status(done)

    def _c_source(self, source: Source) -> CSource:
        """Made once while the same source is used."""
        if self._last is None or self._last[0] is not source:
            self._last = (source, _c_source(source))
        return self._last[1]

    def _sizes(self, source: Source) -> tuple[int, int, int]:
        num, time_steps, inputs = source.data.shape
        if inputs != self.layout.inputs:
            raise ValueError(f"the net reads {self.layout.inputs} numbers a time step: {inputs}")
        if not num or not time_steps:
            raise ValueError(f"there must be examples and time steps: {list(source.data.shape)}")
        return num if source.rows is None else len(source.rows), time_steps, inputs

    def _check_noises(self, noises: tuple[Tensor, ...], time_steps: int, size: int) -> None:
        if not noises:
            return
        hidden = self.layout.hidden
        wanted = [(time_steps, size, hidden)] * (self.layout.layers - 1) + [(size, hidden)]
        found = [tuple(noise.shape) for noise in noises]
        if found != wanted:
            raise ValueError(f"noises must have the shapes {wanted}: {found}")
        for noise in noises:
            _check_floats("a noise", noise)

    def _check(self, lr_factors: Sequence[float], weight_decays: Sequence[float]) -> None:
        found = [tuple(weight.shape) for weight in self.weights]
        if found != self.layout.shapes:
            raise ValueError(f"weights must have the shapes {self.layout.shapes}: {found}")
        for weight in self.weights:
            _check_floats("a weight", weight)
        if not len(self.weights) == len(lr_factors) == len(weight_decays):
            raise ValueError("each weight needs one factor of the learning rate and one decay")


def _c_source(source: Source) -> CSource:
    data, rows = source.data, source.rows
    return CSource(
        data.data_ptr(), data.dtype == torch.uint8, len(data), *data.stride(),
        None if rows is None else rows.data_ptr(), 0 if rows is None else len(rows),
        source.scale, source.shift,
    )  # fmt: skip


def _addresses(tensors: Sequence[Tensor]) -> "ctypes.Array[ctypes.c_void_p]":
    return (ctypes.c_void_p * len(tensors))(*(each.data_ptr() for each in tensors))


def _check_floats(what: str, tensor: Tensor) -> None:
    if tensor.dtype != torch.float32 or tensor.is_cuda or not tensor.is_contiguous():
        raise ValueError(f"{what} must be float32 and contiguous, on the CPU: {tensor.dtype}")


def _check_indices(what: str, tensor: Tensor, size: int) -> None:
    is_fit = tensor.dtype == torch.int64 and not tensor.is_cuda and tensor.is_contiguous()
    if not is_fit or tuple(tensor.shape) != (size,):
        raise ValueError(
            f"{what} must be int64 [{size}] and contiguous, on the CPU: {tensor.dtype} "
            f"{list(tensor.shape)}"
        )


def _check_status(status: int) -> None:
    if status == 1:
        raise IndexError("order must hold positions in the source")
    if status == 2:
        raise IndexError("targets must be classes of the net")
    if status:
        raise MemoryError("no memory for a native step")
