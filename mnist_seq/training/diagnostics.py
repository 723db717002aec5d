"""Measures gradients, states and weights on one batch, in evaluation mode.

No random number is drawn and no weight is changed, so the numbers of a run do not depend on it.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from mnist_seq.config.schema import Training
from mnist_seq.models import Classifier
from mnist_seq.models.blocks import Blocks
from mnist_seq.models.cells import Cell, Layers, State
from mnist_seq.runs.events import Row
from mnist_seq.tasks import Spec
from mnist_seq.tasks.batches.batch import Batch
from mnist_seq.tasks.batches.task_data import TaskData
from mnist_seq.training.loop.objective import answer_losses, mean_loss

DIAGNOSED = 64  # training examples, the same at each evaluation
MOST_POINTS = 28  # time steps that are reported; a sequence of rows has as many
SATURATED = 0.05  # a gate nearer than this to 0 or 1 has less than a fifth of the steepest slope


class _Sigmoids(TorchFunctionMode):
    """Records the share of saturated values of every sigmoid.

    A `TorchDispatchMode` would import torch's compiler, which takes seconds.
    """

    def __init__(self) -> None:
        super().__init__()
        self.shares: list[Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func in (torch.sigmoid, Tensor.sigmoid, Tensor.sigmoid_) and out.numel():
            self.shares.append(((out < SATURATED) | (out > 1 - SATURATED)).float().mean())
        return out


def diagnostics(training: Training, model: Classifier, data: TaskData) -> Row:
    """What `training.diagnostics` asks for, on the same few training examples at any step."""
    batch, row = data.sample(DIAGNOSED), Row()
    if training.diagnoses_states:
        row |= diagnose(model, batch, data.spec)
    if training.diagnoses_weights:
        row |= norms(model, batch, data.spec)
    return row


def norms(model: Classifier, batch: Batch, spec: Spec) -> Row:
    """Euclidean norms of the weights that are trained, and of the loss's gradient.

    The loss is the mean over the batch, and its gradient goes back over the whole sequence,
    whatever `training.tbptt` is; nothing is clipped.

    Returns:
        `gradient_norm/<name>` and `weight_norm/<name>` for each weight by its name in the net, and
        `gradient_norm/all`, `weight_norm/all` over all of them.
    """
    weights = {name: w for name, w in model.named_parameters() if w.requires_grad}
    # cuDNN has no gradient of its recurrent layers in evaluation mode
    with torch.enable_grad(), _evaluating(model), torch.backends.cudnn.flags(enabled=False):
        loss = mean_loss(spec, model(batch.x, (), batch.lengths), batch)
        gradients = torch.autograd.grad(
            loss, list(weights.values()), allow_unused=True, materialize_grads=True
        )
    row: Row = {}
    for kind, tensors in (("gradient", gradients), ("weight", tuple(weights.values()))):
        found = torch.stack([tensor.detach().norm().double().cpu() for tensor in tensors])
        row |= {f"{kind}_norm/{name}": float(n) for name, n in zip(weights, found, strict=True)}
        row[f"{kind}_norm/all"] = float(found.norm())
    return row


def diagnose(model: Classifier, batch: Batch, spec: Spec) -> Row:
    """Diagnostics of the last layer in its forward direction, on one batch.

    Returns:
        `gradient/t<time step>`: mean over the examples of the norm of d loss / d state, the states
        of a cell taken together, each example's loss by itself. `state/first`, `state/last`: mean
        norm of h. `gates/saturated`: share of gate values near 0 or 1, where the cell has gates.
    """
    x = model.embedded(batch.x).detach()
    with torch.enable_grad(), _evaluating(model):
        below, cell, finish = _last_cell(model.rnn, x)
        states: list[State] = []
        with _Sigmoids() as sigmoids:
            projected, outputs = cell.project(below), []
            state = cell.initial(projected)
            for x_t in projected.unbind(0):
                # Cloned, so that the gradient of c is that of the c that is passed on
                state = tuple(s.clone() for s in cell.step(x_t, state))
                states.append(state)
                outputs.append(cell.output(x_t, state))
        h = torch.stack(outputs)
        whole = finish(h)
        end = whole[-1:]
        mean = whole.mean(dim=0, keepdim=True)
        read = {"last": end, "last_step": end, "mean": mean, "flat": whole}
        features = read[model.readout].transpose(0, 1).flatten(1)
        loss = answer_losses(spec, model.answer(features), batch.y).sum()
        flat = [tensor for state in states for tensor in state]
        passed = [each for each in flat if each.requires_grad]  # a state may be a constant
        found = torch.autograd.grad(loss, passed, allow_unused=True, materialize_grads=True)
    by_state = {id(each): gradient for each, gradient in zip(passed, found, strict=True)}
    gradients = [by_state.get(id(each), torch.zeros_like(each)) for each in flat]
    row: Row = {}
    points = torch.linspace(0, len(x) - 1, min(MOST_POINTS, len(x))).round().long().tolist()
    for t in points:
        of_state = gradients[t * len(state) : (t + 1) * len(state)]
        of_t = torch.cat([of_tensor.flatten(1) for of_tensor in of_state], dim=-1)
        row[f"gradient/t{t:03d}"] = float(of_t.norm(dim=-1).mean())
    row["state/first"], row["state/last"] = _ends(h.detach())
    if sigmoids.shares:
        row["gates/saturated"] = float(torch.stack(sigmoids.shares).mean())
    return row


def _ends(h: Float[Tensor, "T B H"]) -> tuple[float, float]:
    first, last = (float(h[t].norm(dim=-1).mean()) for t in (0, -1))
    return first, last


@contextlib.contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def _last_cell(rnn: Layers, x: Tensor) -> tuple[Tensor, Cell, Callable[[Tensor], Tensor]]:
    """The input of the last layer, its cell of the forward direction, and a function from the
    cell's outputs to the layers' outputs, with zeros for those of the backward direction."""
    *below, last = rnn.step_cells()

    def padded(h: Tensor) -> Tensor:
        return F.pad(h, (0, (len(last) - 1) * last[0].hidden))

    with torch.no_grad():
        if isinstance(rnn, Blocks):
            x, behind = rnn.at_last_cell(x)
            return x, last[0], lambda h: behind(padded(h))
        for forward, *backward in below:
            outputs = [forward(x)[0], *(cell(x.flip(0))[0].flip(0) for cell in backward)]
            x = torch.cat(outputs, dim=-1)
    return x, last[0], padded
