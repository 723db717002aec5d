"""The LSTM's step with all its options."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mnist_seq.config.schema import LSTM
from mnist_seq.models.initial import chrono_, identity_blocks_, orthogonal_blocks_
from mnist_seq.models.kernels.lstm_scan import Kind, LSTMScan
from mnist_seq.models.kernels.scan import is_scannable, run_scan
from mnist_seq.models.recurrence import Cell, State, dropout_mask


class LSTMCell(Cell):
    """An LSTM with parts taken away or put in.

        i, f, o = sigmoid(W x + R h' + p * c + b)    g = tanh(W x + R h' + b)
        c = f * c' + i * g                           h = o * tanh(c)

    where ' is the step before, and the peephole p of i and f looks at c', that of o at c. A gate
    that is taken away is 1 and has no weights. Blocks stand in torch's order: i, f, g, o.

    Source: Greff et al. 2017, arXiv:1503.04069, equations of section II; layer normalisation by
    Ba et al. 2016, arXiv:1607.06450; dropout by Gal & Ghahramani 2016, arXiv:1512.05287, and by
    Semeniuta et al. 2016, arXiv:1603.05118; zoneout by Krueger et al. 2017, arXiv:1606.01305.
    Differs: two biases a gate, as torch has; Gal's masks are the same for all gates, Semeniuta's
    fall anew at every time step; layer normalisation is over all gates at once, with one bias.
    """

    num_states = 2

    def __init__(self, input_size: int, hidden: int, options: LSTM) -> None:
        kind = _kind(options)
        num_blocks = len(kind.blocks)
        super().__init__(input_size, hidden, blocks_x=num_blocks, blocks_h=num_blocks)
        self.kind, self.options = kind, options
        self.noisy = tuple(key for key in options.noises() if getattr(options, key))
        if options.full_gate_recurrence:
            self.num_states = 5  # and the gates
            self.weight_gates = nn.Parameter(torch.empty(3 * hidden, 3 * hidden))
        if options.layer_norm:
            self.gain_ih = nn.Parameter(torch.empty(num_blocks * hidden))
            self.gain_hh = nn.Parameter(torch.empty(num_blocks * hidden))
            self.norm_c = nn.LayerNorm(hidden)
        else:
            self.bias_hh = nn.Parameter(torch.empty(num_blocks * hidden))
        if options.peepholes:
            self.peepholes = nn.Parameter(torch.empty(num_blocks - 1, hidden))  # i, f, o

    def initialise(self, time_steps: int) -> None:
        """Draw the weights as the options say."""
        super().initialise(time_steps)
        if self.options.layer_norm:
            for gain in (self.gain_ih, self.gain_hh, self.norm_c.weight):
                nn.init.ones_(gain)
            nn.init.zeros_(self.norm_c.bias)
        b_hh = None if self.options.layer_norm else self.bias_hh
        biases = (self.bias_ih, b_hh)
        set_weights_(self.options, self.weight_hh, biases, self.kind.blocks, time_steps)

    def project(self, x: Float[Tensor, "T B D"]) -> Float[Tensor, "T B blocks_H"]:
        """What the input adds, at all time steps."""
        if not self.options.layer_norm:
            return F.linear(x, self.weight_ih, self.bias_ih + self.bias_hh)
        a = F.linear(x, self.weight_ih)
        return F.layer_norm(a, a.shape[-1:], self.gain_ih, self.bias_ih)

    def noises(
        self, time_steps: int, batch_size: int, generator: torch.Generator | None = None
    ) -> State:
        """Factors of the options that are on, in the order of `LSTM.noises`; Gal's dropout has two,
        on x and on h."""
        like, found = self.bias_ih, []
        for key in self.noisy:
            rate = getattr(self.options, key)
            if key == "gal_dropout":
                for size in (self.weight_ih.shape[1], self.hidden):
                    shape = (1, batch_size, size)
                    found.append(dropout_mask(shape, rate, like=like, generator=generator))
                continue
            shape = (time_steps, batch_size, self.hidden)
            if key == "semeniuta_dropout":
                found.append(dropout_mask(shape, rate, like=like, generator=generator))
            else:
                found.append(like.new_empty(shape).bernoulli_(rate, generator=generator))
        return tuple(found)

    def step(self, x: Tensor, state: State, *noise: Tensor) -> State:
        """The next h and c, and with full gate recurrence i, f and o."""
        h, c = state[:2]
        kind, options = self.kind, self.options
        drawn = dict(zip(self.noisy, noise, strict=True)) if noise else {}
        seen = h * drawn["gal_dropout"] if "gal_dropout" in drawn else h
        a = dict(zip(kind.blocks, self._into(x, seen), strict=True))
        if options.full_gate_recurrence:
            of_gates = F.linear(torch.cat(state[2:], dim=-1), self.weight_gates).chunk(3, dim=-1)
            for name, share in zip("ifo", of_gates, strict=True):
                a[name] = a[name] + share
        look = {}
        if options.peepholes:
            look = dict(zip(kind.gates, self.peepholes.unbind(0), strict=True))
            for name in (name for name in look if name != "o"):
                a[name] = a[name] + look[name] * c
        i = torch.sigmoid(a["i"]) if "i" in a else torch.ones_like(c)
        f = torch.sigmoid(a["f"]) if "f" in a else 1 - i if kind.is_coupled else torch.ones_like(c)
        g = torch.tanh(a["g"]) if kind.has_input_tanh else a["g"]
        if "semeniuta_dropout" in drawn:
            g = g * drawn["semeniuta_dropout"]
        c_new = f * c + i * g
        if options.zoneout_cell:
            c_new = torch.lerp(c_new, c, drawn.get("zoneout_cell", options.zoneout_cell))
        if "o" in look:
            a["o"] = a["o"] + look["o"] * c_new
        o = torch.sigmoid(a["o"]) if "o" in a else torch.ones_like(c)
        read = self.norm_c(c_new) if options.layer_norm else c_new
        h_new = o * (torch.tanh(read) if kind.has_output_tanh else read)
        if options.zoneout_hidden:
            h_new = torch.lerp(h_new, h, drawn.get("zoneout_hidden", options.zoneout_hidden))
        return (h_new, c_new, i, f, o) if options.full_gate_recurrence else (h_new, c_new)

    def _into(self, x: Tensor, h: Tensor) -> State:
        """What enters each block, from input and h."""
        of_h = F.linear(h, self.weight_hh)
        if self.options.layer_norm:
            of_h = F.layer_norm(of_h, of_h.shape[-1:], self.gain_hh)
        return (x + of_h).chunk(len(self.kind.blocks), dim=-1)

    def forward(
        self, x: Float[Tensor, "T B D"], state: State = (), noises: State = ()
    ) -> tuple[Float[Tensor, "T B H"], State]:
        """See `Cell`; on a CPU and in a stack with a backward pass written by hand."""
        if has_scan(self.options) and is_scannable(x, self.weight_hh.dtype):
            peepholes = self.peepholes if self.options.peepholes else None
            weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh, peepholes)
            outputs, *new = run_scan(LSTMScan, self.kind, x, *weights, *(state or (None, None)))
            return outputs, tuple(new)
        if noises and self.options.gal_dropout:
            x, noises = x * noises[0], noises[1:]
        return super().forward(x, state, noises)


def is_torchs(options: LSTM) -> bool:
    """Whether these options leave the step of `nn.LSTM`."""
    return has_scan(options) and _kind(options) == Kind() and not options.peepholes


def has_scan(options: LSTM) -> bool:
    """Whether the step is one that `lstm_scan` knows."""
    return not (
        options.layer_norm
        or options.full_gate_recurrence
        or any(getattr(options, key) for key in options.noises())
    )


def _kind(options: LSTM) -> Kind:
    return Kind(
        has_input_gate=options.input_gate,
        has_forget_gate=options.forget_gate,
        has_output_gate=options.output_gate,
        is_coupled=options.cifg,
        has_input_tanh=options.input_activation,
        has_output_tanh=options.output_activation,
    )


def set_weights_(
    options: LSTM,
    weight_hh: Tensor,
    biases: tuple[Tensor, Tensor | None],
    blocks: tuple[str, ...],
    time_steps: int,
) -> None:
    """Overwrite what `init` and `forget_bias` name in freshly drawn weights.

    Args:
        biases: b_ih, and b_hh where there is one; their sum is what counts.
    """
    if options.init == "orthogonal":
        orthogonal_blocks_(weight_hh)
    elif options.init == "identity":
        identity_blocks_(weight_hh)
    if options.forget_bias == "default":
        return
    parts = [
        dict(zip(blocks, bias.detach().chunk(len(blocks)), strict=True))
        for bias in biases
        if bias is not None
    ]
    if options.forget_bias == "chrono":
        for part in parts:
            for block in part.values():
                block.zero_()
        chrono_(parts[0]["f"], time_steps)
        if "i" in parts[0]:
            parts[0]["i"].copy_(-parts[0]["f"])
        return
    for part in parts:
        part["f"].zero_()
    parts[0]["f"].fill_(float(options.forget_bias))
