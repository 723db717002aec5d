"""LRU: a linear recurrence with a complex diagonal state, and a linear read-out of it; and S5.

Source: Orvieto et al. 2023, arXiv:2303.06349; initial values and learning rates as in the code of
N. Zucchet, github.com/NicolasZucchet/minimal-LRU. `form=s5` is S5 (Smith et al. 2023,
arXiv:2208.04933), as in github.com/lindermanlab/S5.
Differs: where the input is not `model.hidden` wide (outside of blocks), a linear layer comes first.
S5: C is drawn as by its `trunc_standard_normal`, but the normal distributions of B and C are not
truncated; the norms of a block decay as all else does.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mnist_seq.config.schema import LRU as Options
from mnist_seq.models.cells import Cell, Layers, Shape, State
from mnist_seq.models.kernels.compiled import functions_for
from mnist_seq.models.kernels.compiled.linear import CompiledLinear
from mnist_seq.models.kernels.exporting import discretised, is_traced, polar
from mnist_seq.models.kernels.linear import linear_scan
from mnist_seq.models.kernels.scan import is_scannable
from mnist_seq.models.parameter_groups import ParameterGroup
from mnist_seq.models.recurrence import Recurrence


class LRU(Cell):
    """h = lam * h' + exp(gamma) * (B x), y = Re(C h) + D * x, lam = exp(-exp(nu) + i exp(theta)).

    h is complex, [B, N]; its state is the pair of its real and imaginary parts. B has real rows,
    then imaginary ones; C has real columns, then imaginary ones.
    """

    def __init__(self, input_size: int, hidden: int, options: Options) -> None:
        super().__init__(input_size, hidden, blocks_x=int(input_size != hidden), blocks_h=0)
        self.options = options
        self.states = hidden if options.states == "hidden" else options.states
        self.nu, self.theta, self.gamma = (nn.Parameter(torch.empty(self.states)) for _ in range(3))
        self.B = nn.Parameter(torch.empty(2 * self.states, hidden))
        self.C = nn.Parameter(torch.empty(hidden, 2 * self.states))
        self.D = nn.Parameter(torch.empty(hidden))

    @torch.no_grad()
    def initialise(self, time_steps: int) -> None:
        """See `Cell`; eigenvalues are uniform in a ring, and gamma makes all states as large."""
        super().initialise(time_steps)
        options = self.options
        low, high = options.r_min**2, options.r_max**2
        squared = self.nu.uniform_().mul_(high - low).add_(low)  # of the moduli
        squared.clamp_(1e-8, 1 - 1e-7)  # 0 and 1 have no finite nu
        self.nu.copy_(torch.log(-0.5 * torch.log(squared)))
        self.theta.uniform_().clamp_(min=1e-8).mul_(options.max_phase).log_()
        self.gamma.copy_(0.5 * torch.log(-torch.expm1(-2 * self.nu.exp())))
        self.B.normal_(std=(2 * self.hidden) ** -0.5)
        self.C.normal_(std=self.states**-0.5)
        self.D.normal_()

    def parameter_groups(self) -> list[ParameterGroup]:
        """What makes the state learns slowly and does not decay."""
        names = ("nu", "theta", "gamma", "B")
        return [ParameterGroup("lru", names, lr_factor=self.options.lr_factor, is_decayed=False)]

    def num_kept(self, time_steps: int) -> int:
        """See `Cell`."""
        return 2 * self.states + self.hidden

    def initial(self, x: Tensor) -> State:
        """See `Cell`; the real and the imaginary part."""
        return (x.new_zeros(x.shape[1], self.states),) * 2

    def project(self, x: Float[Tensor, "T B D"]) -> Float[Tensor, "T B E"]:
        """See `Cell`; exp(gamma) B x, its real and its imaginary part, and x."""
        x = super().project(x)
        return torch.cat((F.linear(x, self.B) * self.gamma.exp().repeat(2), x), dim=-1)

    def step(self, x: Tensor, state: State, *noise: Tensor) -> State:
        """See `Cell`; returns the real and the imaginary part of h."""
        re, im = state
        u_re, u_im, _ = self._parts(x)
        keep_re, keep_im = self._keep()
        return keep_re * re - keep_im * im + u_re, keep_re * im + keep_im * re + u_im

    def output(self, x: Tensor, state: State) -> Tensor:
        """See `Cell`; y."""
        return self._read(torch.cat(state, dim=-1), self._parts(x)[2])

    def forward(
        self, x: Float[Tensor, "T B D"], state: State = (), noises: State = ()
    ) -> tuple[Float[Tensor, "T B H"], State]:
        """See `Cell`; by `linear_scan`."""
        if not is_scannable(x, self.B.dtype):
            return super().forward(x, state, noises)
        x = super().project(x)
        if functions := functions_for(x, self.B):
            y, last = CompiledLinear.apply(  # type: ignore[no-untyped-call]
                functions,
                x,
                torch.cat(self._keep()),
                self._to_state().flatten(0, 1),
                torch.cat(self._readers(), dim=-1),
                self.D,
                torch.cat(state or self.initial(x), dim=-1),
            )
            return y, last.chunk(2, dim=-1)
        y, last = linear_scan(
            x,
            torch.view_as_real(self._eigenvalues()),
            self._to_state().transpose(0, 1).flatten(0, 1),
            torch.stack(self._readers(), dim=-1).flatten(-2),
            self.D,
            torch.stack(state or self.initial(x), dim=-1),
        )
        return y, tuple(last.unbind(-1))

    def _parts(self, x: Tensor) -> State:
        """The real and imaginary part of what is added to h, and x."""
        return torch.split(x, [self.states, self.states, self.hidden], dim=-1)

    def _eigenvalues(self) -> Tensor:
        return torch.polar(torch.exp(-self.nu.exp()), self.theta.exp())

    def _keep(self) -> tuple[Tensor, Tensor]:
        """The real and the imaginary part of the eigenvalues."""
        if is_traced():
            return polar(torch.exp(-self.nu.exp()), self.theta.exp())
        lam = self._eigenvalues()
        return lam.real, lam.imag

    def _read(self, h: Tensor, x: Tensor) -> Tensor:
        """y, from the parts of h side by side."""
        return F.linear(h, torch.cat(self._readers(), dim=-1)) + self.D * x

    def _to_state(self) -> Tensor:
        """exp(gamma) B, [2, N, H]: its real and its imaginary part."""
        return torch.unflatten(self.B, 0, (2, -1)) * self.gamma.exp().unsqueeze(-1)

    def _readers(self) -> tuple[Tensor, Tensor]:
        """What the real and the imaginary part of h are read by."""
        c_re, c_im = self.C.chunk(2, dim=-1)
        return c_re, -c_im


class S5(LRU):
    """h = exp(dt a) * h' + (exp(dt a) - 1) / a * (B x), y = 2 Re(C h) + D * x, a = re + i im.

    dt = exp(log_dt), one for each state. Each of the N complex numbers of the state stands for its
    conjugate too.
    """

    def __init__(self, input_size: int, hidden: int, options: Options) -> None:
        super().__init__(input_size, hidden, options)
        del self.nu, self.theta, self.gamma
        self.re, self.im, self.log_dt = (nn.Parameter(torch.empty(self.states)) for _ in range(3))

    @torch.no_grad()
    def initialise(self, time_steps: int) -> None:
        """See `Cell`; the eigenvalues of HiPPO-LegS's normal part, in `blocks` copies."""
        Cell.initialise(self, time_steps)
        self.log_dt.uniform_(math.log(1e-3), math.log(0.1))
        self.D.normal_()
        blocks, size = self.options.blocks, 2 * self.states
        b = self.B.new_empty(blocks, size // blocks, self.hidden).normal_(std=size**-0.5)
        c = self.C.new_empty(blocks, self.hidden, size // blocks, 2).normal_(std=size**-0.5)
        if self.B.is_meta:  # no values are wanted
            return
        a, vectors = _hippo(size // blocks)
        self.re.copy_(a.real.repeat(blocks))
        self.im.copy_(a.imag.repeat(blocks))
        # both are drawn for the real system, and brought into the basis of the eigenvectors
        vectors = vectors.to(device=b.device, dtype=torch.complex64)
        b = (vectors.mH @ b.to(vectors.dtype)).flatten(0, 1)
        c = (torch.view_as_complex(c) @ vectors).transpose(0, 1).flatten(1)
        self.B.copy_(torch.cat((b.real, b.imag)))
        self.C.copy_(torch.cat((c.real, c.imag), dim=-1))

    def parameter_groups(self) -> list[ParameterGroup]:
        """What makes the state learns slowly and does not decay."""
        names = ("re", "im", "log_dt", "B")
        return [ParameterGroup("lru", names, lr_factor=self.options.lr_factor, is_decayed=False)]

    def project(self, x: Float[Tensor, "T B D"]) -> Float[Tensor, "T B E"]:
        """See `Cell`; (exp(dt a) - 1) / a B x, its real and its imaginary part, and x."""
        x = Cell.project(self, x)
        return torch.cat((F.linear(x, self._to_state().flatten(0, 1)), x), dim=-1)

    def _eigenvalues(self) -> Tensor:
        return self._rate()[1].exp()

    def _keep(self) -> tuple[Tensor, Tensor]:
        if is_traced():
            return discretised(self.re, self.im, self.log_dt.exp())[:2]
        return super()._keep()

    def _to_state(self) -> Tensor:
        """(exp(dt a) - 1) / a B."""
        by_re, by_im = (each.unsqueeze(-1) for each in self._by())
        re, im = self.B.chunk(2)
        return torch.stack((by_re * re - by_im * im, by_re * im + by_im * re))

    def _by(self) -> tuple[Tensor, Tensor]:
        """The real and the imaginary part of (exp(dt a) - 1) / a."""
        if is_traced():
            return discretised(self.re, self.im, self.log_dt.exp())[2:]
        a, rate = self._rate()
        by = (rate.exp() - 1) / a
        return by.real, by.imag

    def _readers(self) -> tuple[Tensor, Tensor]:
        """Twice as much: each state stands for its conjugate too."""
        re, im = super()._readers()
        return 2 * re, 2 * im

    def _rate(self) -> tuple[Tensor, Tensor]:
        """a, and dt a."""
        a = torch.complex(self.re, self.im)
        return a, a * self.log_dt.exp()


def _hippo(size: int) -> tuple[Tensor, Tensor]:
    """Eigenvalues [size / 2] and eigenvectors [size, size / 2] of HiPPO-LegS's normal part.

    Those with a negative imaginary part; the others are their conjugates. On the CPU.
    """
    n = torch.arange(size, dtype=torch.float64, device="cpu")
    p, q = torch.sqrt(1 + 2 * n), torch.sqrt(n + 0.5)
    normal = q.unsqueeze(-1) * q + torch.diag(n) - torch.tril(p.unsqueeze(-1) * p)
    im, vectors = torch.linalg.eigh(-1j * normal.to(torch.complex128))
    re = normal.diagonal().mean().expand(size // 2)
    return torch.complex(re, im[: size // 2]), vectors[:, : size // 2]


def build(shape: Shape, model: Options) -> Layers:
    """The recurrence of `LRU` or `S5`."""
    kind = LRU if model.form == "lru" else S5
    return Recurrence(lambda size, hidden: kind(size, hidden, model), shape, model)
