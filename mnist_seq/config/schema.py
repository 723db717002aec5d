"""Types and ranges of every config key; the values stand in `conf/`.

An option without a class of its own here (a new cell, say) is typed by its YAML: see `schema_of`.
"""

import functools
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model, field_validator
from pydantic_core import PydanticCustomError

from mnist_seq.config.paths import conf_dir, options
from mnist_seq.config.text import is_control

LARGEST = 1e30  # of a factor: float32 ends at 3e38, and kernels refuse what a product takes there
MAX_COUNT = 10**12

Fraction = Annotated[float, Field(ge=0, lt=1)]
# Nearer to 1 than float32 can tell, torch's NAdam divides by zero
Beta = Annotated[
    list[Annotated[float, Field(ge=0, le=0.999999)]], Field(min_length=2, max_length=2)
]
Positive = Annotated[float, Field(gt=0, le=LARGEST, allow_inf_nan=False)]
Finite = Annotated[float, Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, le=LARGEST, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=MAX_COUNT)]
CountOrNone = Annotated[int, Field(ge=0, le=MAX_COUNT)]


def _folder_name(text: str) -> str:
    """A name that stays where it is put, on any file system."""
    is_plain = not set(text) & set("/\\") and not any(map(is_control, text))
    is_safe = is_plain and not text.startswith(".") and not text.endswith(".")
    if not is_safe or text != text.strip() or not 1 <= len(text.encode(errors="replace")) <= 200:
        raise PydanticCustomError(
            "folder_name",
            "a plain folder name of 1 to 200 bytes, without slashes and control characters, and "
            "without a dot or a space at its ends",
        )
    return text


def _printable(text: str) -> str:
    if any(map(is_control, text)):
        raise PydanticCustomError("printable", "text without control characters")
    return text


def _stripped(text: str) -> str:
    if text != text.strip():
        raise PydanticCustomError("stripped", "a name without spaces at its ends")
    return text


Text = Annotated[str, Field(min_length=1), AfterValidator(_printable)]
# Of a name, behind its length: pydantic counts what follows a check as entries of a list
_NAMED = (AfterValidator(_printable), AfterValidator(_stripped))


class Group(BaseModel):
    """One config group: unknown keys and loose types are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, ser_json_inf_nan="strings")

    @field_validator("*")
    @classmethod
    def _unsigned_zero(cls, value: Any) -> Any:
        """-0.0 and 0.0 are one setting."""
        return value + 0.0 if isinstance(value, float) else value


MAX_HIDDEN = 10**6


def _cell_and_size(text: str) -> str:
    cell, _, hidden = text.rpartition("-")
    is_size = hidden.isascii() and hidden.isdecimal() and 1 <= int(hidden[:9]) <= MAX_HIDDEN
    if text != "none" and not (cell and is_size and len(hidden) <= len(str(MAX_HIDDEN))):
        raise PydanticCustomError("cell_and_size", "none, or a cell and its hidden size: lstm-64")
    return text


class Model(Group):
    name: str
    hidden: Annotated[int, Field(ge=1, le=MAX_HIDDEN)]
    layers: Annotated[int, Field(ge=1, le=100)]
    bidirectional: bool
    dropout: Fraction
    readout: Literal["last", "mean", "flat"]
    match: Annotated[str, AfterValidator(_cell_and_size)]
    params: Literal["any"] | Count

    def problem(self) -> str:
        """Why these values do not go together, or ""."""
        return ""

    def options(self) -> dict[str, Any]:
        """The cell's own keys, beyond those that every cell has."""
        return {key: value for key, value in dict(self).items() if key not in Model.model_fields}


class LSTM(Model):
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
        """Keys of the regularisers that draw at random."""
        return ("gal_dropout", "semeniuta_dropout", "zoneout_cell", "zoneout_hidden")

    def problem(self) -> str:
        """Why these values do not go together, or ""."""
        gates = ("input_gate", "forget_gate", "output_gate")
        off = [f"model.{key}=false" for key in gates if not getattr(self, key)]
        if self.cifg and not (self.input_gate and self.forget_gate):
            return f"model.cifg=true couples two gates, and {' '.join(off)} takes one away"
        if self.full_gate_recurrence and (off or self.cifg):
            which = " ".join([*off, *["model.cifg=true"] * self.cifg])
            return f"model.full_gate_recurrence=true joins three gates, and {which} takes one away"
        if self.peepholes and len(off) == 3:
            return f"model.peepholes=true needs a gate to look, and {' '.join(off)} leaves none"
        if self.forget_bias != "default" and (not self.forget_gate or self.cifg):
            why = "model.cifg=true" if self.cifg else "model.forget_gate=false"
            return f"{why} leaves no forget bias to set: model.forget_bias={self.forget_bias}"
        return ""


class GRU(Model):
    reset: Literal["after", "before", "none"]
    update_gate: bool


class RNN(Model):
    nonlinearity: Literal["tanh", "relu"]


NUM_TRAIN = {"mnist": 60_000, "fashion_mnist": 60_000, "kmnist": 60_000, "mnist_5k": 4_000,
             "mnist1d": 4_000}  # fmt: skip
SIDE = 28  # of a picture
NUM_SIGNAL = 40  # values of an MNIST-1D signal
PERMUTATION_SEED = 92916  # of the literature's permuted MNIST


class Data(Group):
    name: str
    root: Text
    sequence: Literal["rows", "columns", "pixels", "permuted"]
    chunk: Count
    permutation: Literal["bit_reversal"] | Annotated[int, Field(ge=0, lt=2**32)]
    normalize: Literal["standard", "unit"]
    valid: CountOrNone
    limit: Literal["all"] | Count
    label_noise: Fraction
    shift: CountOrNone
    noise: NonNegative
    drop_steps: Fraction

    def shape(self) -> tuple[int, int]:
        """(T, D): the number of time steps, and of values that each one shows."""
        if self.sequence in ("rows", "columns"):
            return SIDE, SIDE
        return self._num_values() // self.chunk, self.chunk

    @property
    def is_augmented(self) -> bool:
        """Whether training batches are changed at random."""
        return bool(self.shift or self.noise or self.drop_steps)

    def problem(self) -> str:
        """Why these values do not go together, or ""."""
        is_signal, is_grid = self.name == "mnist1d", self.sequence in ("rows", "columns")
        instead = f"data.sequence={self.sequence}; choose data.sequence=pixels or permuted"
        if is_signal and is_grid:
            return f"data=mnist1d has signals, no rows or columns: {instead}"
        if is_signal and self.normalize == "unit":
            return (
                "data=mnist1d is published with mean 0 and deviation 1, not as pixels: "
                "data.normalize=unit; choose data.normalize=standard"
            )
        if is_grid and self.chunk != 1:
            return f"data.chunk is the pixels of a time step: data.chunk={self.chunk} {instead}"
        if not is_grid and self._num_values() % self.chunk:
            return (
                f"data.chunk must divide the {self._num_values()} values of an example: "
                f"data.chunk={self.chunk}; choose a divisor"
            )
        if self.permutation != PERMUTATION_SEED and self.sequence != "permuted":
            return (
                f"data.permutation={self.permutation} is the order of permuted values: "
                f"data.sequence={self.sequence}; choose data.sequence=permuted"
            )
        if self.shift >= self.shape()[0]:
            return (
                f"data.shift must be less than the {self.shape()[0]} time steps of a sequence: "
                f"data.shift={self.shift}; choose less"
            )
        return ""

    def _num_values(self) -> int:
        return NUM_SIGNAL if self.name == "mnist1d" else SIDE * SIDE


class Optimizer(Group):
    name: str
    lr: Positive
    weight_decay: NonNegative


class Adam(Optimizer):
    betas: Beta
    eps: Positive
    amsgrad: bool


class NAdam(Optimizer):
    betas: Beta
    eps: Positive
    momentum_decay: NonNegative


class RMSprop(Optimizer):
    alpha: Fraction
    eps: Positive
    momentum: NonNegative
    centered: bool


class SGD(Optimizer):
    momentum: NonNegative
    dampening: NonNegative
    nesterov: bool


class Adagrad(Optimizer):
    lr_decay: NonNegative
    eps: Positive
    initial_accumulator_value: NonNegative


class Schedule(Group):
    name: str
    warmup: CountOrNone


class Cosine(Schedule):
    final: Annotated[float, Field(ge=0, le=1)]


class OneCycle(Schedule):
    peak_at: Annotated[float, Field(gt=0, lt=1)]
    start: Annotated[float, Field(ge=0, le=1)]
    final: Annotated[float, Field(ge=0, le=1)]


class Step(Schedule):
    every: Count
    gamma: Annotated[float, Field(gt=0, le=1)]


class Device(Group):
    name: Literal["auto", "cpu", "cuda", "mps"]
    threads: Annotated[int, Field(ge=1, le=512)]  # far more of them end the process
    precision: Literal["fp32", "tf32", "bf16"]
    deterministic: bool


class Tracker(Group):
    name: str


def _no_address(text: str) -> str:
    """The characters that wandb.init refuses in a project's name; no address leads to . or .."""
    if set(text) & set("/\\#?%:") or text in (".", ".."):
        raise PydanticCustomError("address", "a name without : / \\ # ? %, and not . or ..")
    return text


WandBName = Annotated[
    str, Field(min_length=1, max_length=128), *_NAMED, AfterValidator(_no_address)
]
Tag = Annotated[str, Field(min_length=1, max_length=64), *_NAMED]


class WandB(Tracker):
    mode: Literal["auto", "online", "offline", "disabled"]
    project: WandBName
    entity: WandBName
    tags: list[Tag]
    artifact: bool
    finish: Positive


class Training(Group):
    epochs: Count
    batch_size: Count
    order: Literal["shuffled", "fixed"]
    clip_norm: Annotated[float, Field(gt=0)]
    tbptt: Literal["none"] | Count
    eval_every: Literal["epoch"] | Count
    early_stop: Literal["never"] | Count
    evaluate: Literal["last", "best"]
    eval_batch_size: Count
    monitor_test: CountOrNone
    checkpoint_every: Count
    diagnostics: Literal["none", "gradients"]


class Sweep(Group):
    name: Annotated[str, AfterValidator(_folder_name)]
    baseline: Literal["auto", "none"]
    stale: Literal["error", "rerun", "keep"]
    dry_run: bool
    on_failure: Literal["continue", "stop"]
    retries: CountOrNone
    timeout: Annotated[float, Field(gt=0)]
    stop_after_same_failures: CountOrNone
    unstackable: Literal["error", "pool"]
    zip: list[str]
    exclude: list[str]


ArmName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$", max_length=60)]


class Ablation(Group):
    """A study: what its runs share, and its arms, each some overrides."""

    base: list[str]
    arms: dict[ArmName, Annotated[list[str], Field(min_length=1)]]
    design: Literal["one_at_a_time", "leave_one_out"]
    pairs: list[Annotated[list[str], Field(min_length=2, max_length=2)]]


class Config(Group):
    """Everything that one run is asked to do."""

    seed: Annotated[int, Field(ge=0, lt=2**63)]
    arm: Annotated[str, Field(min_length=1, max_length=200), *_NAMED]
    model: Model
    data: Data
    optimizer: Optimizer
    schedule: Schedule
    device: Device
    tracker: Tracker
    training: Training
    sweep: Sweep

    def _repr_markdown_(self) -> str:
        """How a notebook shows it."""
        from omegaconf import OmegaConf

        values = OmegaConf.create(self.model_dump(serialize_as_any=True))
        return f"```yaml\n{OmegaConf.to_yaml(values)}```"


CHOSEN: dict[str, type[Group]] = {
    "model": Model,
    "data": Data,
    "optimizer": Optimizer,
    "schedule": Schedule,
    "device": Device,
    "tracker": Tracker,
}
OWN: dict[tuple[str, str], type[Group]] = {
    ("model", "lstm"): LSTM,
    ("model", "gru"): GRU,
    ("model", "rnn"): RNN,
    ("optimizer", "adam"): Adam,
    ("optimizer", "adamw"): Adam,
    ("optimizer", "nadam"): NAdam,
    ("optimizer", "rmsprop"): RMSprop,
    ("optimizer", "sgd"): SGD,
    ("optimizer", "adagrad"): Adagrad,
    ("schedule", "cosine"): Cosine,
    ("schedule", "onecycle"): OneCycle,
    ("schedule", "step"): Step,
    ("tracker", "wandb"): WandB,
}


def schema_of(group: str, name: str) -> type[Group]:
    """The schema of one option.

    An option of a group that has no class in `OWN` takes the group's class, and its further keys
    take the type of the value in its YAML: a new cell needs no edit here.

    Raises:
        KeyError: the group has no such option.
    """
    if (group, name) in OWN:
        return OWN[group, name]
    if name not in options(group):
        raise KeyError(name)
    return _typed_by_yaml(group, name)


@functools.cache  # a class made anew takes 2 ms, and a plan of 300 runs asks 1,800 times
def _typed_by_yaml(group: str, name: str) -> type[Group]:
    from omegaconf import OmegaConf

    base = CHOSEN[group]
    values = OmegaConf.to_container(OmegaConf.load(conf_dir() / group / f"{name}.yaml"))
    assert isinstance(values, dict)
    own: dict[str, Any] = {
        str(key): (Finite if isinstance(value, float) else type(value), ...)
        for key, value in values.items()
        if key not in base.model_fields and key != "defaults"
    }
    return create_model(f"{group}/{name}", __base__=base, **own) if own else base
