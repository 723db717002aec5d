"""Keys of `model=` that every cell has, and those of torch's cells."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from mnist_seq.config.schema.types import Count, Fraction, Group

MAX_HIDDEN = 10**6
MAX_LAYERS = 100


def _cell_and_size(text: str) -> str:
    cell, _, size = text.rpartition("-")
    hidden, x, layers = size.partition("x")
    is_size = _is_number(hidden, MAX_HIDDEN) and (not x or _is_number(layers, MAX_LAYERS))
    if text != "none" and not (cell and is_size):
        raise PydanticCustomError(
            "cell_and_size",
            "none, or a cell and its hidden size: lstm-64, or lstm-64x2 for two layers",
        )
    return text


def _is_number(text: str, most: int) -> bool:
    is_short = text.isascii() and text.isdecimal() and len(text) <= len(str(most))
    return is_short and 1 <= int(text) <= most


# hashable, as nets are counted once for each model
Sizes = tuple[Annotated[int, Field(ge=1, le=MAX_HIDDEN)], ...]


def _as_tuple(value: Any) -> Any:
    if not isinstance(value, list | tuple):
        raise PydanticCustomError("sizes", "a list of sizes, such as [32], or []")
    return tuple(value)


def _as_width(value: Any) -> Any:
    if isinstance(value, list | tuple) and len(value) > 1:
        *below, last = value
        words = f"model.layers={len(value)} model.below={below} model.hidden={last}"
        raise PydanticCustomError("width", "one number; layers of unequal widths are {words}",
                                  {"words": words})  # fmt: skip
    return value


class Model(Group):
    # Keys of the cell that set initial values alone: runs that differ in them have equal weights
    # and steps, and may be one stack. A cell names such keys; a key that it does not name splits
    initial_names: ClassVar[tuple[str, ...]] = ()
    has_native_layers: ClassVar[bool] = False  # whether `models.kernels.compiled` knows its layers

    name: str
    hidden: Annotated[int, BeforeValidator(_as_width), Field(ge=1, le=MAX_HIDDEN)]
    layers: Annotated[int, Field(ge=1, le=MAX_LAYERS)]
    bidirectional: bool
    dropout: Fraction
    readout: Literal["last", "last_step", "mean", "flat"]
    match: Annotated[str, AfterValidator(_cell_and_size)]
    params: Literal["any"] | Count
    # These came after runs existed, so they have defaults; see `identity.plain`
    block: Literal["none", "residual"] = "none"
    norm: Literal["layer", "rms"] = "layer"
    conv: Annotated[int, Field(ge=0, le=1000)] = 0
    after: Literal["none", "glu", "mlp"] = "none"
    dropout_at: Literal["all", "between"] = "all"
    projection: Annotated[int, Field(ge=0, le=MAX_HIDDEN)] = 0
    readout_norm: Literal["none", "layer", "batch"] = "none"
    head: Annotated[Sizes, BeforeValidator(_as_tuple), Field(max_length=MAX_LAYERS)] = ()
    head_activation: Literal["relu", "tanh", "gelu"] = "relu"
    below: Annotated[Sizes, BeforeValidator(_as_tuple), Field(max_length=MAX_LAYERS - 1)] = ()

    def problem(self) -> str:
        """Why these values are impossible together, or ""."""
        given = {key: getattr(self, key) for key in ("norm", "conv", "after")}
        fields = Model.model_fields
        words = [f"model.{k}={v}" for k, v in given.items() if v != fields[k].default]
        if words and self.block == "none":
            return f"{' '.join(words)} is a part of a block; choose model.block=residual"
        if self.head_activation != "relu" and not self.head:
            return (
                f"model.head_activation={self.head_activation} needs hidden layers in the head; "
                "choose model.head=[32]"
            )
        if self.dropout_at == "between" and self.block != "none":
            return (
                "blocks drop out inside: model.dropout_at=between "
                f"model.block={self.block}; choose model.dropout_at=all"
            )
        if self.dropout_at == "between" and self.dropout and self.layers == 1:
            return (
                f"model.dropout={self.dropout} model.dropout_at=between drops nothing of "
                "model.layers=1; choose model.layers=2, or model.dropout_at=all"
            )
        return self._problem_below() if self.below else ""

    def _problem_below(self) -> str:
        """Why `below` is impossible with the other values, or ""."""
        given, last = f"model.below={list(self.below)}", f"model.hidden={self.hidden}"
        if self.block != "none":
            return (
                f"all blocks are equally wide: {given} model.block={self.block}; choose "
                "model.below=[], or model.block=none"
            )
        if len(self.below) != self.layers - 1:
            *first, end = self.below
            words = f"model.layers={len(first) + 1} model.below={first} model.hidden={end}"
            return (
                f"model.below has the units of all layers but the last one, which has {last}: "
                f"{given} model.layers={self.layers}; choose model.layers={len(first) + 2}"
                f"{f', or {words}' if first else ''}"
            )
        multiple = self.hidden_multiple()
        if any(size % multiple for size in self.below):
            return (
                f"widths of layers must be multiples of {multiple}, as model.hidden: {given}; "
                f"choose model.below={[-(-size // multiple) * multiple for size in self.below]}"
            )
        return ""

    def hidden_multiple(self) -> int:
        """`hidden` must be a multiple of this."""
        return 1

    def native_cell(self) -> str:
        """Name in `native.Layout` of the cell, as it is without a block; "" where it has none."""
        return ""

    def options(self) -> dict[str, Any]:
        """The cell's own keys, beyond those that every cell has."""
        return {key: value for key, value in dict(self).items() if key not in Model.model_fields}


class WithBias(Model):
    """A cell with a bias of the input's product and one of the recurrent product."""

    bias: Literal["two", "one"] = "two"


class WithInit(WithBias):
    """A cell of torch, with a choice of initial weights."""

    initial_names: ClassVar[tuple[str, ...]] = ("init", "input_init", "bias_init")

    init: Literal["default", "orthogonal", "identity"] = "default"
    input_init: Literal["default", "glorot", "he"] = "default"
    bias_init: Literal["default", "zeros"] = "default"
