"""Types and ranges of every config key; the values stand in `conf/`.

An option without a class of its own here (a new cell, say) is typed by its YAML: see `schema_of`.
"""

import functools
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from mnist_seq.config.paths import conf_dir, options

Fraction = Annotated[float, Field(ge=0, lt=1)]
Beta = Annotated[list[Fraction], Field(min_length=2, max_length=2)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=10**12)]
CountOrNone = Annotated[int, Field(ge=0)]


class Group(BaseModel):
    """One config group: unknown keys and loose types are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, ser_json_inf_nan="strings")


class Model(Group):
    name: str
    hidden: Count
    layers: Count
    bidirectional: bool
    dropout: Fraction
    readout: Literal["last", "mean"]
    match: Annotated[str, Field(pattern=r"^(none|[a-z0-9_]+-[1-9][0-9]*)$")]
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


NUM_TRAIN = {"mnist": 60_000, "fashion_mnist": 60_000, "kmnist": 60_000, "mnist_5k": 4_000}


class Data(Group):
    name: str
    root: str
    sequence: Literal["rows", "columns", "pixels", "permuted"]
    normalize: Literal["standard", "unit"]
    valid: CountOrNone
    limit: Literal["all"] | Count


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
    threads: Count
    precision: Literal["fp32", "bf16"]
    deterministic: bool


class Tracker(Group):
    name: str


class WandB(Tracker):
    mode: Literal["auto", "online", "offline", "disabled"]
    project: Annotated[str, Field(min_length=1, max_length=128)]
    entity: Annotated[str, Field(min_length=1)]
    tags: list[Annotated[str, Field(min_length=1, max_length=64)]]
    artifact: bool
    finish: Positive


class Training(Group):
    epochs: Count
    batch_size: Count
    clip_norm: Annotated[float, Field(gt=0)]
    eval_every: Literal["epoch"] | Count
    early_stop: Literal["never"] | Count
    evaluate: Literal["last", "best"]
    eval_batch_size: Count
    monitor_test: CountOrNone
    checkpoint_every: Count
    diagnostics: Literal["none", "gradients"]


class Sweep(Group):
    name: Annotated[
        str, Field(min_length=1, max_length=200, pattern=r"^[^./\\\x00-\x1f][^/\\\x00-\x1f]*$")
    ]
    baseline: Literal["auto", "none"]
    stale: Literal["error", "rerun", "keep"]
    dry_run: bool
    on_failure: Literal["continue", "stop"]
    retries: CountOrNone
    timeout: Annotated[float, Field(gt=0)]
    stop_after_same_failures: CountOrNone
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

    seed: CountOrNone
    arm: str
    model: Model
    data: Data
    optimizer: Optimizer
    schedule: Schedule
    device: Device
    tracker: Tracker
    training: Training
    sweep: Sweep


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
        str(key): (type(value), ...)
        for key, value in values.items()
        if key not in base.model_fields and key != "defaults"
    }
    return create_model(f"{group}/{name}", __base__=base, **own) if own else base
