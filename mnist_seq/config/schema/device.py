"""Keys of `device=`: device, threads, precision and determinism."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from mnist_seq.config.schema.types import Group


def _no_half(value: Any) -> Any:
    if str(value).lower() in ("fp16", "float16", "half", "16", "16-mixed"):
        raise PydanticCustomError(
            "half",
            "fp32, tf32 or bf16 (on a GPU choose tf32, whose products have the digits of fp16 and "
            "the range of fp32, so that no loss is scaled)",
        )
    return value


class Device(Group):
    name: Literal["auto", "cpu", "cuda", "mps"]
    threads: Annotated[int, Field(ge=1, le=512)]  # far more threads make the process fail
    precision: Annotated[Literal["fp32", "tf32", "bf16"], BeforeValidator(_no_half)]
    deterministic: bool
    # This came after runs existed, so it has a default; see `identity.plain`
    kernel: Literal["auto", "torch", "native"] = "torch"
