"""Keys of `device=`: device, threads, precision and determinism."""

from typing import Annotated, Literal

from pydantic import Field

from mnist_seq.config.schema.types import Group


class Device(Group):
    name: Literal["auto", "cpu", "cuda", "mps"]
    threads: Annotated[int, Field(ge=1, le=512)]  # far more threads make the process fail
    precision: Literal["fp32", "tf32", "bf16"]
    deterministic: bool
    # This came after runs existed, so it has a default; see `identity.plain`
    kernel: Literal["auto", "torch", "native"] = "torch"
