"""Keys of `training.*`: how a run is trained and evaluated."""

from typing import Annotated, Literal

from pydantic import Field

from mnist_seq.config.schema.types import Count, CountOrNone, Group


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
    updates: Literal["none"] | Count = "none"  # runs from before this key have none
