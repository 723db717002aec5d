"""TCN: dilated causal convolutions, a control without recurrence.

Source: Bai et al. 2018, arXiv:1803.01271, and github.com/locuslab/TCN. One layer of the config is a
whole network of `model.levels` residual blocks.
Differs: no dropout inside of it (`model.dropout` is between layers and before the head); initial
weights are those of `nn.Conv1d`, which are in use in the source too: its weight norm overwrites the
N(0, 0.01) that it draws.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mnist_seq.config.schema import TCN as Options
from mnist_seq.models.cells import Layers, Shape, State
from mnist_seq.models.kernels.exporting import is_traced
from mnist_seq.models.recurrence import Recurrence
from mnist_seq.models.whole import WholeSequence


class TCN(WholeSequence):
    """Levels l = 0, 1, ... of x = relu(x + relu(conv(relu(conv(x))))), where both convolutions of H
    channels see `kernel` time steps that are 2^l apart.

    The skip of an x that is not H wide goes through a matrix. A filter is `gain` times `weight` of
    length 1 (weight norm).
    """

    def __init__(self, input_size: int, hidden: int, options: Options) -> None:
        super().__init__(hidden)
        self.options, self.num_parts = options, options.levels
        sizes = [input_size] + [hidden] * (2 * options.levels - 1)
        self.weights = nn.ParameterList(torch.empty(hidden, d, options.kernel) for d in sizes)
        self.gains = nn.ParameterList(torch.empty(hidden) for _ in sizes)
        self.biases = nn.ParameterList(torch.empty(hidden) for _ in sizes)
        if input_size != hidden:
            self.weight_skip = nn.Parameter(torch.empty(hidden, input_size))
            self.bias_skip = nn.Parameter(torch.empty(hidden))

    @torch.no_grad()
    def initialise(self, time_steps: int) -> None:
        """See `Cell`; as `nn.Conv1d`; the matrix of the skip is N(0, 0.01), as in the source."""
        for weight, gain, bias in zip(self.weights, self.gains, self.biases, strict=True):
            bound = (weight.shape[1] * weight.shape[2]) ** -0.5
            weight.uniform_(-bound, bound)
            gain.copy_(weight.norm(dim=(1, 2)))
            bias.uniform_(-bound, bound)
        if hasattr(self, "weight_skip"):
            self.weight_skip.normal_(std=0.01)
            bound = self.weight_skip.shape[1] ** -0.5
            self.bias_skip.uniform_(-bound, bound)

    def num_kept(self, time_steps: int) -> int:
        """See `Cell`; inputs of each convolution, before and behind its padding, and outputs."""
        return 3 * self.hidden * len(self.weights)

    def cache_size(self, time_steps: int) -> int:
        """See `WholeSequence`; what each convolution sees of the past."""
        sizes = (
            weight.shape[1] * 2 ** (k // 2) * (self.options.kernel - 1)
            for k, weight in enumerate(self.weights)
        )
        return sum(sizes)

    def scan(self, x: Tensor, state: State, noises: State = ()) -> tuple[Tensor, State]:
        """See `WholeSequence`."""
        skip = F.linear(x, self.weight_skip, self.bias_skip) if hasattr(self, "weight_skip") else x
        x, skip = x.permute(1, 2, 0), skip.permute(1, 2, 0)  # [B, H, T]
        weights = zip(self.weights, self.gains, self.biases, strict=True)
        for k, (weight, gain, bias) in enumerate(weights):
            length = weight.square().sum(dim=(1, 2)).sqrt()
            weight = weight * (gain / length)[:, None, None]
            x = F.relu(_convolved(x, weight, bias, dilation=2 ** (k // 2)))
            if k % 2:
                x = skip = F.relu(x + skip)
        return x.permute(2, 0, 1), ()


def _convolved(x: Tensor, weight: Tensor, bias: Tensor, *, dilation: int) -> Tensor:
    """The causal convolution of x [B, H, T] with filters [H, H, kernel]."""
    size = weight.shape[-1]
    if is_traced():  # an exporter wants filters that are weights
        padded, found = F.pad(x, (dilation * (size - 1), 0)), bias.unsqueeze(-1)
        for k, tap in enumerate(weight.unbind(-1)):
            found = found + tap @ padded.narrow(-1, dilation * k, x.shape[-1])
        return found
    # the rest of a filter sees zeros only, from before the first time step
    seen = min(size, -(-x.shape[-1] // dilation))
    padded = F.pad(x, (dilation * (seen - 1), 0))
    return F.conv1d(padded, weight[..., size - seen :], bias, dilation=dilation)


def build(shape: Shape, model: Options) -> Layers:
    """The layers of `TCN`."""
    return Recurrence(lambda size, hidden: TCN(size, hidden, model), shape, model)
