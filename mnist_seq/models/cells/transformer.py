"""Causal self-attention, the recurrence-free control: each time step looks at all steps so far.

Source: Vaswani et al. 2017, arXiv:1706.03762; rotary positions of Su et al. 2021, arXiv:2104.09864.
`conf/model/transformer.yaml` puts it into residual blocks with an MLP behind it: then it is a
Transformer, with the norm first.
Differs: the MLP of a block is gated; positions are rotary, so that longer sequences have some too.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mnist_seq.config.schema import Transformer as Options
from mnist_seq.models.cells import Layers, Shape, State
from mnist_seq.models.counting import Counts
from mnist_seq.models.kernels.scan import is_stacked
from mnist_seq.models.recurrence import Recurrence
from mnist_seq.models.whole import WholeSequence

BASE = 10_000.0  # of the rotations' periods, as in both sources


class Transformer(WholeSequence):
    """y = U o + c with, for each head, o_t = sum over s <= t of softmax_s(q_t k_s / sqrt(K)) v_s
    and q, k, v = W x + b. With rotary positions q and k are rotated by angles that grow with t.
    """

    def __init__(self, input_size: int, hidden: int, options: Options) -> None:
        super().__init__(hidden)
        self.options = options
        self.weight_ih = nn.Parameter(torch.empty(3 * hidden, input_size))
        self.bias_ih = nn.Parameter(torch.empty(3 * hidden))
        self.weight_out = nn.Parameter(torch.empty(hidden, hidden))
        self.bias_out = nn.Parameter(torch.empty(hidden))

    def initialise(self, time_steps: int) -> None:
        """See `Cell`; weights as those of `nn.MultiheadAttention`, biases 0."""
        nn.init.xavier_uniform_(self.weight_ih)
        nn.init.uniform_(self.weight_out, -(self.hidden**-0.5), self.hidden**-0.5)
        nn.init.zeros_(self.bias_ih)
        nn.init.zeros_(self.bias_out)

    def num_kept(self, time_steps: int) -> int:
        """See `Cell`; torch's kernel keeps no pairs of time steps."""
        return 7 * self.hidden

    def cache_size(self, time_steps: int) -> int:
        """See `WholeSequence`; keys and values of all time steps."""
        return 2 * time_steps * self.hidden

    def counts_over(self, shape: Shape) -> Counts:
        """See `WholeSequence`; a time step looks at half of all, in the mean."""
        of_weights = 3 * self.hidden * shape.input_size + self.hidden**2
        looks = (shape.time_steps + 1) * self.hidden  # twice half of them: q k, and weights by v
        return Counts(self.cache_size(shape.time_steps), of_weights + looks)

    def project(self, x: Float[Tensor, "T B D"]) -> Float[Tensor, "T B three_H"]:
        """See `Cell`; q, k and v."""
        return F.linear(x, self.weight_ih, self.bias_ih)

    def scan(self, x: Tensor, state: State, noises: State = ()) -> tuple[Tensor, State]:
        """See `WholeSequence`."""
        by_head = torch.unflatten(x, -1, (3 * self.options.heads, -1)).permute(1, 2, 0, 3)
        q, k, v = by_head.chunk(3, dim=1)  # [B, heads, T, K]
        if self.options.positions == "rotary":
            q, k = _rotated(q), _rotated(k)
        o = _attended(q, k, v).permute(2, 0, 1, 3).flatten(2)
        return F.linear(o, self.weight_out, self.bias_out), ()


def _attended(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Values [B, heads, T, K] weighted by queries and keys of time steps up to their own."""
    if not is_stacked():  # torch's kernel does not keep all T x T weights; vmap has no rule for it
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    num_steps, size = q.shape[-2:]
    later = torch.ones(num_steps, num_steps, dtype=torch.bool, device=q.device).triu(1)
    weights = (q @ k.mT * size**-0.5).masked_fill(later, -torch.inf)
    o: Tensor = weights.softmax(dim=-1) @ v
    return o


def _rotated(x: Tensor) -> Tensor:
    """x [B, heads, T, K] with pairs of values rotated by t / BASE^(2 j / K); an odd one is left."""
    num_steps, pairs = x.shape[-2], x.shape[-1] // 2
    steps = torch.arange(num_steps, dtype=torch.float32, device=x.device)
    rates = BASE ** (-torch.arange(pairs, dtype=torch.float32, device=x.device) / max(1, pairs))
    angles = steps.unsqueeze(-1) * rates
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second, rest = torch.split(x, [pairs, pairs, x.shape[-1] - 2 * pairs], dim=-1)
    turned = (first * cos - second * sin, first * sin + second * cos, rest)
    return torch.cat(turned, dim=-1)


def build(shape: Shape, model: Options) -> Layers:
    """The layers of `Transformer`."""
    return Recurrence(lambda size, hidden: Transformer(size, hidden, model), shape, model)
