"""Keys of cells that need more than their YAML; those of every cell are in `any_model`."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mnist_seq.config.schema.any_model import Model, WithBias, WithInit
from mnist_seq.config.schema.types import Count, Finite, Fraction


class LSTM(WithInit):
    option_names: ClassVar = ("lstm",)
    initial_names: ClassVar = (*WithInit.initial_names, "forget_bias")

    input_gate: bool
    forget_gate: bool
    output_gate: bool
    input_activation: bool
    output_activation: bool
    cifg: bool
    peepholes: bool
    full_gate_recurrence: bool
    layer_norm: bool
    gal_dropout: Fraction
    semeniuta_dropout: Fraction
    zoneout_cell: Fraction
    zoneout_hidden: Fraction
    init: Literal["default", "orthogonal", "identity"]
    forget_bias: Literal["default", "chrono"] | Finite

    @staticmethod
    def noises() -> tuple[str, ...]:
        """Keys of the regularisers that draw random factors."""
        return ("gal_dropout", "semeniuta_dropout", "zoneout_cell", "zoneout_hidden")

    @property
    def has_known_step(self) -> bool:
        """Whether its step has the parts of `LSTMScan` alone, or some of them."""
        more = ("layer_norm", "full_gate_recurrence", *self.noises())
        return not any(getattr(self, key) for key in more)

    @property
    def is_torchs(self) -> bool:
        """Whether its step is that of `nn.LSTM`."""
        parts = ("input_gate", "forget_gate", "output_gate", "input_activation")
        has_all = all(getattr(self, key) for key in (*parts, "output_activation"))
        return self.has_known_step and has_all and not (self.cifg or self.peepholes)

    def native_cell(self) -> str:
        """See `Model`."""
        return "lstm" if self.is_torchs else ""

    def problem(self) -> str:
        """Why these values are impossible together, or ""."""
        if problem := super().problem():
            return problem
        gates = ("input_gate", "forget_gate", "output_gate")
        off = [f"model.{key}=false" for key in gates if not getattr(self, key)]
        if self.cifg and not (self.input_gate and self.forget_gate):
            return f"model.cifg=true couples two gates, and {' '.join(off)} takes one away"
        if self.full_gate_recurrence and (off or self.cifg):
            which = " ".join([*off, *["model.cifg=true"] * self.cifg])
            return f"model.full_gate_recurrence=true joins three gates, and {which} takes one away"
        if self.peepholes and len(off) == 3:
            return f"model.peepholes=true needs a gate to look, and {' '.join(off)} leaves none"
        if self.bias == "one" and self.layer_norm:
            return "model.layer_norm=true has one bias for both products: choose model.bias=two"
        if self.forget_bias != "default" and (not self.forget_gate or self.cifg):
            why = "model.cifg=true" if self.cifg else "model.forget_gate=false"
            return f"{why} leaves no forget bias to set: model.forget_bias={self.forget_bias}"
        return ""


class GRU(WithInit):
    option_names: ClassVar = ("gru",)

    reset: Literal["after", "before", "none"]
    update_gate: bool

    @property
    def is_torchs(self) -> bool:
        """Whether its step is that of `nn.GRU`."""
        return self.reset == "after" and self.update_gate

    def native_cell(self) -> str:
        """See `Model`."""
        return "gru" if self.is_torchs else ""


class RNN(WithInit):
    option_names: ClassVar = ("rnn",)

    nonlinearity: Literal["tanh", "relu"]

    def native_cell(self) -> str:
        """See `Model`."""
        return f"rnn_{self.nonlinearity}"


class IRNN(WithBias):
    option_names: ClassVar = ("irnn",)

    def native_cell(self) -> str:
        """See `Model`."""
        return "rnn_relu"


class MinGRU(Model):
    """Of `minlstm` too. Keys that came after runs existed have a default; see `identity.plain`."""

    option_names: ClassVar = ("mingru", "minlstm")
    has_native_layers: ClassVar = True
    initial_names: ClassVar = ("forget_bias",)

    candidate: Literal["linear", "positive"] = "linear"
    forget_bias: Literal["default", "chrono"] | Finite = "default"


class LRU(Model):
    """Keys that came after runs existed have a default; see `identity.plain`."""

    option_names: ClassVar = ("lru",)
    has_native_layers: ClassVar = True

    states: Literal["hidden"] | Count
    r_min: Annotated[float, Field(ge=0, lt=1)]
    r_max: Annotated[float, Field(gt=0, le=1)]
    max_phase: Annotated[float, Field(gt=0, le=6.2832)]
    lr_factor: Annotated[float, Field(gt=0, le=1000)]
    form: Literal["lru", "s5"] = "lru"
    blocks: Count = 1

    def hidden_multiple(self) -> int:
        """`hidden` must be a multiple of this."""
        return self.blocks if self.states == "hidden" else 1

    def problem(self) -> str:
        """Why these values are impossible together, or ""."""
        ring = {"r_min": 0.0, "r_max": 1.0, "max_phase": 6.28}
        given = [f"model.{k}={getattr(self, k)}" for k, v in ring.items() if getattr(self, k) != v]
        if self.form == "s5" and given:
            return f"model.form=s5 draws from no ring: {' '.join(given)}; choose model.form=lru"
        if self.form == "lru" and self.blocks != 1:
            return (
                "model.blocks is for the eigenvalues of HiPPO: model.form=lru "
                f"model.blocks={self.blocks}; choose model.blocks=1, or model.form=s5"
            )
        states = self.hidden if self.states == "hidden" else self.states
        is_solved = (self.match, self.params) != ("none", "any") and self.states == "hidden"
        if states % self.blocks and not is_solved:
            return (
                "the states must be a multiple of model.blocks: "
                f"{states} states, model.blocks={self.blocks}; choose model.blocks=1"
            )
        if self.r_min >= self.r_max:
            return (
                "model.r_min must be below model.r_max, between which the moduli are drawn: "
                f"model.r_min={self.r_min} model.r_max={self.r_max}; choose model.r_min=0"
            )
        return super().problem()


class WithHeads(Model):
    """A cell whose units are divided into heads."""

    heads: Count

    def hidden_multiple(self) -> int:
        """`hidden` must be a multiple of this."""
        return self.heads

    def problem(self) -> str:
        """Why these values are impossible together, or ""."""
        is_solved = (self.match, self.params) != ("none", "any")
        if self.hidden % self.heads and not is_solved:
            return (
                "model.hidden must be a multiple of model.heads: "
                f"model.hidden={self.hidden} model.heads={self.heads}; choose model.hidden="
                f"{self.heads * max(1, round(self.hidden / self.heads))}"
            )
        return super().problem()


class RGLRU(WithHeads):
    option_names: ClassVar = ("rglru",)
    has_native_layers: ClassVar = True

    c: Annotated[float, Field(gt=0, le=1000)]
    input_gate: bool
    normalise: bool


class MLSTM(WithHeads):
    option_names: ClassVar = ("mlstm",)

    head_norm: bool


class SLSTM(WithHeads):
    option_names: ClassVar = ("slstm",)
    has_native_layers: ClassVar = True

    exponential: bool
    normaliser: bool
    head_norm: bool


class GatedDelta(WithHeads):
    option_names: ClassVar = ("gated_delta",)

    conv_width: Annotated[int, Field(ge=1, le=1000)]
    gated: bool
    negative: bool


class Mamba(Model):
    option_names: ClassVar = ("mamba",)

    states: Count
    expand: Count
    conv_width: Annotated[int, Field(ge=1, le=1000)]


class SSD(WithHeads):
    option_names: ClassVar = ("ssd",)

    states: Count
    expand: Count
    conv_width: Annotated[int, Field(ge=1, le=1000)]
    decay: Literal["input", "fixed"]


class Transformer(WithHeads):
    option_names: ClassVar = ("transformer",)

    positions: Literal["rotary", "none"]


class TCN(Model):
    option_names: ClassVar = ("tcn",)

    levels: Annotated[int, Field(ge=1, le=20)]
    kernel: Annotated[int, Field(ge=1, le=1000)]


class S4D(Model):
    option_names: ClassVar = ("s4d",)

    states: Annotated[int, Field(ge=2, le=10**6, multiple_of=2)]
    lr_factor: Annotated[float, Field(gt=0, le=1000)]


class HGRN(Model):
    option_names: ClassVar = ("hgrn",)
    has_native_layers: ClassVar = True
    initial_names: ClassVar = ("forget_bias",)

    lower_bound: Annotated[float, Field(ge=0, lt=1)]
    forget_bias: Literal["chrono"] | Finite


class LEM(WithBias):
    option_names: ClassVar = ("lem",)

    dt: Annotated[float, Field(gt=0, le=1)]


class LMU(Model):
    option_names: ClassVar = ("lmu",)

    order: Annotated[int, Field(ge=1, le=1000)]
    theta: Literal["time_steps"] | Count
