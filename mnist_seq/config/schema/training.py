"""Keys of `training.*`: how a run is trained and evaluated."""

from typing import Annotated, Literal

from pydantic import Field

from mnist_seq.config.schema.types import Count, CountOrNone, Group, NonNegative, Text


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
    # These came after runs existed, so they have a default; see `identity.plain`
    updates: Literal["none"] | Count = "none"
    eval_train: CountOrNone = 0
    train_accuracy: bool = False
    best: Text = "auto"
    min_delta: NonNegative = 0.0
    init_from: Text = "none"
    init_head: Literal["load", "new"] = "load"
    init_optimizer: bool = False
    init_source: Text = "none"  # found where a run is prepared: `training.preflight.origin`
    freeze: Annotated[list[Text], Field(default_factory=list)]
