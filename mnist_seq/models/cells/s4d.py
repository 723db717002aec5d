"""S4D: each channel has N / 2 complex states of its own, which do not depend on the input.

Source: Gu et al. 2022, arXiv:2206.11893, the form S4D-Lin; initial values and groups as in
`s4d.py` of github.com/state-spaces/s4.
Differs: where the input is not `model.hidden` wide (outside of blocks), a linear layer comes first;
the group learns at `model.lr_factor` times the others' rate, where the source has at most 0.001.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mnist_seq.config.schema import S4D as Options
from mnist_seq.models.cells import Cell, Layers, Shape, State
from mnist_seq.models.kernels.convolution import convolve
from mnist_seq.models.kernels.exporting import discretised, is_traced
from mnist_seq.models.parameter_groups import ParameterGroup
from mnist_seq.models.recurrence import Recurrence


class S4D(Cell):
    """In each channel, with a = -exp(log_re) + i im and dt = exp(log_dt), for N / 2 states:

        h = exp(dt a) h' + x      y = 2 Re sum (C (exp(dt a) - 1) / a) h + D x

    The state is the real and the imaginary part of h, [B, H, N / 2] each; C has both in a last
    axis. Over a whole sequence y is a convolution of x.
    """

    def __init__(self, input_size: int, hidden: int, options: Options) -> None:
        super().__init__(input_size, hidden, blocks_x=int(input_size != hidden), blocks_h=0)
        self.options, self.pairs = options, options.states // 2
        self.log_dt = nn.Parameter(torch.empty(hidden))
        self.log_re, self.im = (nn.Parameter(torch.empty(hidden, self.pairs)) for _ in range(2))
        self.C = nn.Parameter(torch.empty(hidden, self.pairs, 2))
        self.D = nn.Parameter(torch.empty(hidden))

    @torch.no_grad()
    def initialise(self, time_steps: int) -> None:
        """See `Cell`; frequencies 0, pi, 2 pi, ..., in steps of 0.001 to 0.1."""
        super().initialise(time_steps)
        self.log_dt.uniform_(math.log(1e-3), math.log(0.1))
        self.log_re.fill_(math.log(0.5))
        frequencies = math.pi * torch.arange(float(self.pairs), device=self.im.device)
        self.im.copy_(frequencies.expand_as(self.im))
        self.C.normal_(std=0.5**0.5)
        self.D.normal_()

    def parameter_groups(self) -> list[ParameterGroup]:
        """What makes the state learns slowly and does not decay."""
        names = ("log_dt", "log_re", "im")
        return [ParameterGroup("s4d", names, lr_factor=self.options.lr_factor, is_decayed=False)]

    def num_kept(self, time_steps: int) -> int:
        """See `Cell`; in batches of 64, half of it are powers that all examples share."""
        return 8 * self.hidden

    def initial(self, x: Tensor) -> State:
        """See `Cell`; the real and the imaginary part."""
        return (x.new_zeros(x.shape[1], self.hidden, self.pairs),) * 2

    def step(self, x: Tensor, state: State, *noise: Tensor) -> State:
        """See `Cell`; returns the real and the imaginary part of h."""
        re, im = state
        keep_re, keep_im, _, _ = self._of_step()
        return keep_re * re - keep_im * im + x.unsqueeze(-1), keep_re * im + keep_im * re

    def output(self, x: Tensor, state: State) -> Tensor:
        """See `Cell`; y."""
        re, im = state
        _, _, weight_re, weight_im = self._of_step()
        return 2 * (weight_re * re - weight_im * im).sum(-1) + self.D * x

    def scan(
        self, x: Float[Tensor, "T B H"], state: State, noises: State = ()
    ) -> tuple[Tensor, State]:
        """See `Cell`; by `convolve`."""
        if x.dtype != self.D.dtype or is_traced():  # there is no FFT of bfloat16
            return super().scan(x, state, noises)
        rate, weight = self._rates()
        steps = torch.arange(len(x) + 1, dtype=x.dtype, device=x.device)
        length, angle = (
            torch.exp(rate.real.unsqueeze(-1) * steps),
            rate.imag.unsqueeze(-1) * steps,
        )
        # real and imaginary parts of the powers, one below the other: [H, N, T + 1]
        powers = torch.cat((length * torch.cos(angle), length * torch.sin(angle)), dim=1)
        readers = 2 * torch.cat((weight.real, -weight.imag), dim=-1)
        kernel = (readers.unsqueeze(1) @ powers[..., :-1]).squeeze(1)
        re, im = (each.transpose(0, 1) for each in state)  # [H, B, N / 2]
        by = 2 * torch.cat(
            (weight.real.unsqueeze(1) * re - weight.imag.unsqueeze(1) * im,
             -(weight.real.unsqueeze(1) * im + weight.imag.unsqueeze(1) * re)), dim=-1
        )  # fmt: skip
        of_first = (by @ powers[..., 1:]).permute(2, 1, 0)
        left = x.permute(2, 1, 0) @ powers[..., :-1].flip(-1).mT  # [H, B, N]
        kept = powers[..., -1].unsqueeze(1)
        cos, sin = kept.chunk(2, dim=-1)
        new_re, new_im = left.chunk(2, dim=-1)
        last = (new_re + cos * re - sin * im, new_im + cos * im + sin * re)
        y = convolve(kernel, x) + of_first + self.D * x
        return y, (last[0].transpose(0, 1), last[1].transpose(0, 1))

    def _rates(self) -> tuple[Tensor, Tensor]:
        """dt a, and what h is read by, [H, N / 2] each."""
        a = torch.complex(-self.log_re.exp(), self.im)
        rate = a * self.log_dt.exp().unsqueeze(-1)
        return rate, torch.complex(*self.C.unbind(-1)) * (rate.exp() - 1) / a

    def _of_step(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """exp(dt a), and what h is read by: the real and the imaginary part of both."""
        if not is_traced():
            rate, weight = self._rates()
            keep = rate.exp()
            return keep.real, keep.imag, weight.real, weight.imag
        dt = self.log_dt.exp().unsqueeze(-1)
        keep_re, keep_im, by_re, by_im = discretised(-self.log_re.exp(), self.im, dt)
        re, im = self.C.unbind(-1)
        return keep_re, keep_im, re * by_re - im * by_im, re * by_im + im * by_re


def build(shape: Shape, model: Options) -> Layers:
    """The recurrence of `S4D`."""
    return Recurrence(lambda size, hidden: S4D(size, hidden, model), shape, model)
