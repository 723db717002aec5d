"""Keys of `training.*`: how a run is trained and evaluated."""

import math
import re
from typing import Annotated, Literal

from pydantic import Field, PlainValidator
from pydantic_core import PydanticCustomError

from mnist_seq.config.schema.types import MAX_COUNT, Count, CountOrNone, Group, NonNegative, Text


def _check_every(value: object) -> int | str:
    if type(value) is int and 1 <= value <= MAX_COUNT:
        return value
    found = re.fullmatch(r"(\d{1,6}(\.\d{1,6})?)min", value) if isinstance(value, str) else None
    if isinstance(value, str) and found is not None and float(found[1]) > 0:
        return value
    raise PydanticCustomError("every", "steps, 1 or more, or minutes, such as 10min")


StepsOrMinutes = Annotated[int | str, PlainValidator(_check_every)]


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
    checkpoint_every: StepsOrMinutes
    diagnostics: Literal["none", "gradients", "norms", "all"]
    # These came after runs existed, so they have a default; see `identity.plain`
    updates: Literal["none"] | Count = "none"
    clip_value: Annotated[float, Field(gt=0)] = math.inf
    eval_train: CountOrNone = 0
    train_accuracy: bool = False
    best: Text = "auto"
    min_delta: NonNegative = 0.0
    keep_best: CountOrNone = 0
    ema: Literal["none"] | Annotated[float, Field(gt=0, lt=1)] = "none"
    init_from: Text = "none"
    init_head: Literal["load", "new"] = "load"
    init_optimizer: bool = False
    init_source: Text = "none"  # found where a run is prepared: `training.preflight.origin`
    freeze: Annotated[list[Text], Field(default_factory=list)]

    @property
    def diagnoses_states(self) -> bool:
        """Whether gradients and states along the sequence are logged."""
        return self.diagnostics in ("gradients", "all")

    @property
    def diagnoses_weights(self) -> bool:
        """Whether norms of weights and their gradients are logged."""
        return self.diagnostics in ("norms", "all")

    @property
    def checkpoint_steps(self) -> int | None:
        """Steps between two checkpoints; None if they go by time."""
        return None if isinstance(self.checkpoint_every, str) else self.checkpoint_every

    @property
    def checkpoint_s(self) -> float:
        """Seconds between two checkpoints; infinite if they go by steps."""
        every = self.checkpoint_every
        return 60 * float(every.removesuffix("min")) if isinstance(every, str) else math.inf
