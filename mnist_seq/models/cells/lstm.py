"""Long short-term memory: torch's kernel at the default options, `LSTMCell` otherwise.

Source: Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000; no peepholes.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mnist_seq.config.reference import default_model
from mnist_seq.config.schema import LSTM
from mnist_seq.models.cells import Cell, Layers, Shape, State, torch_options
from mnist_seq.models.initial import chrono_, input_weights_, recurrent_weights_
from mnist_seq.models.kernels.exporting import layer_norm
from mnist_seq.models.kernels.lstm_scan import LSTMScan, Parts
from mnist_seq.models.kernels.scan import Scanned, is_scannable, run_scan
from mnist_seq.models.recurrence import Recurrence, dropout_mask

# T * B * H beyond which the scan trains faster than oneDNN's kernel, because oneDNN's buffers no
# longer fit the caches. One step at batch 64, oneDNN and scan, in ms (T * B * H in millions):
#   hidden 128: T 28 10.0 and 11.5 (0.2); T 112 53 and 43 (0.9); T 784 429 and 318 (6.4)
#   hidden 64:  T 112 16 and 20 (0.5); T 196 40 and 33 (0.8)
# oneDNN also keeps 2.3 times the memory at these lengths.
LONG = 600_000
EPS = 1e-5  # of `nn.LayerNorm`


class ScanLSTM(Scanned, nn.LSTM):
    """`nn.LSTM` that trains by `LSTMScan` in a stack and on long sequences."""

    num_states = 2

    def trains_by_scan(self, x: Tensor) -> bool:
        """See `Scanned`; oneDNN is faster on short sequences, the scan on long ones."""
        return x.shape[0] * x.shape[1] * self.hidden_size > LONG

    def scan(self, x: Tensor, state: State, weights: Sequence[Tensor]) -> tuple[Tensor, State]:
        """See `Scanned`."""
        outputs, *new = run_scan(LSTMScan, Parts(), x, *weights, None, *(state or (None, None)))
        return outputs, tuple(new)

    def step_cell(self, input_size: int) -> Cell:
        """See `Scanned`."""
        options = default_model("lstm")
        assert isinstance(options, LSTM)
        return LSTMCell(input_size, self.hidden_size, options)


class LSTMCell(Cell):
    """An LSTM with parts removed or added.

        i, f, o = sigmoid(W x + R h' + p * c + b)    g = tanh(W x + R h' + b)
        c = f * c' + i * g                           h = o * tanh(c)

    where ' marks the time step before. A peephole p multiplies c' in i and f, and c in o. A removed
    gate is 1 and has no weights. The order of the blocks is torch's: i, f, g, o.

    Args:
        options: parts, regularisers and initial weights; see `conf/model/lstm.yaml`.

    Source: Greff et al. 2017, arXiv:1503.04069, equations of section II; layer normalisation by
    Ba et al. 2016, arXiv:1607.06450; dropout by Gal & Ghahramani 2016, arXiv:1512.05287, and by
    Semeniuta et al. 2016, arXiv:1603.05118; zoneout by Krueger et al. 2017, arXiv:1606.01305.
    Differs: two biases a gate, as in torch, by default; Gal's masks are the same for all gates,
    Semeniuta's are drawn anew at every time step; layer normalisation is over all gates at once,
    with one bias.
    """

    num_states = 2

    def __init__(self, input_size: int, hidden: int, options: LSTM) -> None:
        parts = _parts(options)
        num_blocks = len(parts.blocks)
        super().__init__(input_size, hidden, blocks_x=num_blocks, blocks_h=num_blocks)
        self.parts, self.options = parts, options
        # the settings that draw at random and are on
        self.random_keys = tuple(key for key in options.noises() if getattr(options, key))
        if options.full_gate_recurrence:
            self.num_states = 5  # h, c, and the gates i, f, o
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
        """Draw the weights as `init` and `forget_bias` say; gains start at 1."""
        super().initialise(time_steps)
        if self.options.layer_norm:
            for gain in (self.gain_ih, self.gain_hh, self.norm_c.weight):
                nn.init.ones_(gain)
            nn.init.zeros_(self.norm_c.bias)
        b_hh = None if self.options.layer_norm else self.bias_hh
        biases = (self.bias_ih, b_hh)
        weights = (self.weight_ih, self.weight_hh)
        _set_weights_(self.options, *weights, biases, self.parts.blocks, time_steps)

    def project(self, x: Float[Tensor, "T B D"]) -> Float[Tensor, "T B blocks_H"]:
        """See `Cell`; normalised with `layer_norm`."""
        if not self.options.layer_norm:
            return F.linear(x, self.weight_ih, self.bias_ih + self.bias_hh)
        a = F.linear(x, self.weight_ih)
        return layer_norm(a, EPS, self.gain_ih, self.bias_ih)

    def noises(
        self, time_steps: int, batch_size: int, generator: torch.Generator | None = None
    ) -> State:
        """See `Cell`. One tensor for each option that is on, in the order of `LSTM.noises`; two for
        Gal's dropout, on x and on h."""
        like, drawn = self.bias_ih, []
        for key in self.random_keys:
            rate = getattr(self.options, key)
            if key == "gal_dropout":
                for size in (self.weight_ih.shape[1], self.hidden):
                    shape = (1, batch_size, size)
                    drawn.append(dropout_mask(shape, rate, like=like, generator=generator))
                continue
            shape = (time_steps, batch_size, self.hidden)
            if key == "semeniuta_dropout":
                drawn.append(dropout_mask(shape, rate, like=like, generator=generator))
            else:
                drawn.append(like.new_empty(shape).bernoulli_(rate, generator=generator))
        return tuple(drawn)

    def step(self, x: Tensor, state: State, *noise: Tensor) -> State:
        """See `Cell`. Returns h and c; with full gate recurrence also i, f and o."""
        h, c = state[:2]
        parts, options = self.parts, self.options
        drawn = dict(zip(self.random_keys, noise, strict=True)) if noise else {}
        h_seen = h * drawn["gal_dropout"] if "gal_dropout" in drawn else h
        a = dict(zip(parts.blocks, self._before_activation(x, h_seen), strict=True))
        if options.full_gate_recurrence:
            of_gates = F.linear(torch.cat(state[2:], dim=-1), self.weight_gates).chunk(3, dim=-1)
            for name, part in zip("ifo", of_gates, strict=True):
                a[name] = a[name] + part
        peeps = {}
        if options.peepholes:
            peeps = dict(zip(parts.gates, self.peepholes.unbind(0), strict=True))
            for name in (name for name in peeps if name != "o"):
                a[name] = a[name] + peeps[name] * c
        i = torch.sigmoid(a["i"]) if "i" in a else torch.ones_like(c)
        f = torch.sigmoid(a["f"]) if "f" in a else 1 - i if parts.is_coupled else torch.ones_like(c)
        g = torch.tanh(a["g"]) if parts.has_input_tanh else a["g"]
        if "semeniuta_dropout" in drawn:
            g = g * drawn["semeniuta_dropout"]
        c_new = f * c + i * g
        if options.zoneout_cell:
            c_new = torch.lerp(c_new, c, drawn.get("zoneout_cell", options.zoneout_cell))
        if "o" in peeps:
            a["o"] = a["o"] + peeps["o"] * c_new
        o = torch.sigmoid(a["o"]) if "o" in a else torch.ones_like(c)
        read = self.norm_c(c_new) if options.layer_norm else c_new
        h_new = o * (torch.tanh(read) if parts.has_output_tanh else read)
        if options.zoneout_hidden:
            h_new = torch.lerp(h_new, h, drawn.get("zoneout_hidden", options.zoneout_hidden))
        return (h_new, c_new, i, f, o) if options.full_gate_recurrence else (h_new, c_new)

    def _before_activation(self, x: Tensor, h: Tensor) -> State:
        """The input of each block's activation, without peepholes: [B, H] a block."""
        of_h = F.linear(h, self.weight_hh)
        if self.options.layer_norm:
            of_h = layer_norm(of_h, EPS, self.gain_hh)
        return (x + of_h).chunk(len(self.parts.blocks), dim=-1)

    def forward(
        self, x: Float[Tensor, "T B D"], state: State = (), noises: State = ()
    ) -> tuple[Float[Tensor, "T B H"], State]:
        """See `Cell`; by `LSTMScan` where it knows these options, on a CPU and in a stack."""
        if self.options.has_known_step and is_scannable(x, self.weight_hh.dtype):
            peepholes = self.peepholes if self.options.peepholes else None
            weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh, peepholes)
            outputs, *new = run_scan(LSTMScan, self.parts, x, *weights, *(state or (None, None)))
            return outputs, tuple(new)
        if noises and self.options.gal_dropout:
            x, noises = x * noises[0], noises[1:]
        return super().forward(x, state, noises)


def _parts(options: LSTM) -> Parts:
    return Parts(
        has_input_gate=options.input_gate,
        has_forget_gate=options.forget_gate,
        has_output_gate=options.output_gate,
        is_coupled=options.cifg,
        has_input_tanh=options.input_activation,
        has_output_tanh=options.output_activation,
    )


def _set_weights_(
    options: LSTM,
    weight_ih: Tensor,
    weight_hh: Tensor,
    biases: tuple[Tensor, Tensor | None],
    blocks: tuple[str, ...],
    time_steps: int,
) -> None:
    """Overwrite the weights that `init` to `forget_bias` name, in freshly drawn weights.

    Args:
        biases: b_ih, and b_hh or None. A gate adds both, so a forget bias of 1 is 1 and 0.
        blocks: names of the blocks of H rows, in their order.
    """
    input_weights_(weight_ih, options.input_init)
    recurrent_weights_(weight_hh, options.init)
    if options.bias_init == "zeros":
        for each in biases:
            if each is not None:
                nn.init.zeros_(each)
    if options.forget_bias == "default":
        return
    by_name = [
        dict(zip(blocks, bias.detach().chunk(len(blocks)), strict=True))
        for bias in biases
        if bias is not None
    ]
    if options.forget_bias == "chrono":
        for bias in by_name:
            for block in bias.values():
                block.zero_()
        chrono_(by_name[0]["f"], time_steps)
        if "i" in by_name[0]:
            by_name[0]["i"].copy_(-by_name[0]["f"])
        return
    for bias in by_name:
        bias["f"].zero_()
    by_name[0]["f"].fill_(float(options.forget_bias))


def build(shape: Shape, model: LSTM) -> Layers:
    """`nn.LSTM`, or the recurrence of `LSTMCell` where the options change the step."""
    if not model.is_torchs:
        return Recurrence(lambda size, hidden: LSTMCell(size, hidden, model), shape, model)
    lstm = ScanLSTM(shape.input_size, **torch_options(model))
    for weights in lstm.all_weights:
        w_ih, w_hh, b_ih, b_hh = weights
        assert isinstance(w_ih, Tensor)
        assert isinstance(w_hh, Tensor)
        _set_weights_(model, w_ih, w_hh, (b_ih, b_hh), ("i", "f", "g", "o"), shape.time_steps)
    return lstm
