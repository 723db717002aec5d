"""Programs of one run by code that is compiled for this CPU: see `mnist_seq.native`."""

from typing import Any

import torch
from torch import Tensor, nn

from mnist_seq import native
from mnist_seq.models import Classifier
from mnist_seq.models.kernels.compiled import using
from mnist_seq.tasks.batches.batch import Batch
from mnist_seq.training.loop.batch import training_batch
from mnist_seq.training.loop.learner import Learner
from mnist_seq.training.loop.program import Single
from mnist_seq.training.optimizers import groups_of, options_of


def program_of(learner: Learner, saved: dict[str, Any] | None) -> Single:
    """Whole native steps, or torch's with native layers: as the cell has them.

    Raises:
        native.Unavailable: there is no native step on this machine.
    """
    kind = NativeLayers if learner.config.model.has_native_layers else Native
    return kind(learner, saved)


class NativeLayers(Single):
    """One run by torch's steps, in which the layers are compiled. Evaluations are torch's.

    Raises:
        native.Unavailable: there is no library on this machine.
    """

    def __init__(self, learner: Learner, saved: dict[str, Any] | None) -> None:
        super().__init__(learner, saved)
        self._functions = native.library().functions

    def step(self, position: int) -> int:
        """See `Program`."""
        with using(self._functions):
            return super().step(position)


class Native(Single):
    """One run by native steps, with the random numbers and the files of `Single`.

    The optimizer of `Single` is kept for the form of its state alone: its tensors are those that
    the native step changes.

    Args:
        saved: state of the optimizer to go on from, or None; also one that torch's step wrote.

    Raises:
        native.Unavailable: there is no native step on this machine.
    """

    def __init__(self, learner: Learner, saved: dict[str, Any] | None) -> None:
        super().__init__(learner, saved)
        self.net = _net(learner)
        self._adopt(is_resumed=saved is not None)
        self.loss_sums = self.net.loss_sum
        memory = None if learner.makes_batches else learner.data.memory("train")
        self._source = memory and native.Source(
            memory.data, scale=memory.scale, shift=memory.offset, rows=memory.rows
        )

    def _adopt(self, *, is_resumed: bool) -> None:
        """Copy the optimizer's state into the net, and let the optimizer hold the net's tensors."""
        steps = [1] if is_resumed else [0]  # a momentum of torch's counts no steps
        counts = self.net.rule.name != "sgd"
        for i, weight in enumerate(_weights(self.learner.model)):
            if not weight.requires_grad:
                continue
            before = self.optimizer.state[weight] if is_resumed else {}
            own: dict[str, Tensor] = {name: of[i] for name, of in self.net.state.items()}
            for name, tensor in own.items():
                if name in before:
                    tensor.copy_(before[name])
            if "step" in before:
                steps.append(int(before["step"]))
            if counts:
                own = {"step": torch.tensor(0.0), **own}
            if own:
                self.optimizer.state[weight] = own
        self.net.num_steps = max(steps)

    def step(self, position: int) -> int:
        """See `Program`."""
        learner, size = self.learner, self.learner.config.training.batch_size
        data, order = learner.data, self._order[position * size : (position + 1) * size]
        rate = self._rates[position]
        self._set_rate(rate)
        source, y = self._source, None
        if source is None:
            step = self._first + position
            made = training_batch(learner.config, data, order, step=step)
            source, y = native.Source(made.x.transpose(0, 1)), made.y
        else:
            y = data.labels("train").index_select(0, order)
        noises = learner.model.noises(source.data.shape[1], len(y), learner.generator)
        self.net.step(source, None if self._source is None else order, y, rate, noises)
        return len(y)

    def _outputs(self, batch: Batch) -> Tensor:
        return self.net.outputs(batch.x[0].transpose(0, 1)).unsqueeze(0)

    def optimizer_state(self, run: int) -> dict[str, Any]:
        """See `Program`."""
        for values in self.optimizer.state.values():
            if "step" in values:
                values["step"].fill_(self.net.num_steps)
        return super().optimizer_state(run)


def _weights(model: Classifier) -> list[Tensor]:
    """In the order of `native.Layout.shapes`; a second bias that is kept at 0 is one of them."""
    assert isinstance(model.rnn, nn.RNNBase)
    layers: list[Tensor] = [weight for each in model.rnn.all_weights for weight in each]
    return [*layers, *model.head.parameters()]


def _net(learner: Learner) -> native.Net:
    config, model, data = learner.config, learner.model, learner.data
    layout = native.Layout(
        config.model.native_cell(),
        data.input_size,
        config.model.hidden,
        config.model.layers,
        data.spec.num_outputs,
        config.model.readout,
    )
    options = options_of(config.optimizer)
    decay = options["weight_decay"]
    groups = {name: g for g in groups_of(config.optimizer, model) for name in g.weights}
    names: dict[Tensor, str] = {weight: name for name, weight in model.named_parameters()}
    weights = _weights(model)
    of_each = [groups[names[weight]] if weight in names else None for weight in weights]
    return native.Net(
        native.library(),
        layout,
        native.Rule(config.optimizer.name, _settings(options), config.training.clip_norm),
        weights,
        [group.lr_factor if group else 0.0 for group in of_each],
        [decay if group and group.is_decayed else 0.0 for group in of_each],
        threads=config.device.threads,
    )


def _settings(options: dict[str, Any]) -> dict[str, float | bool]:
    """The keys of an optimizer's YAML as `native.Rule` takes them."""
    left = {k: v for k, v in options.items() if k not in ("lr", "weight_decay", "amsgrad", "betas")}
    if "betas" in options:
        left["beta1"], left["beta2"] = options["betas"]
    return left
