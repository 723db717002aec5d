"""Keys of `sweep.*` and of an ablation study: how several runs are planned and launched."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from mnist_seq.config.schema.types import CountOrNone, Group, Positive, check_folder_name

MOST_SEEDS = 1000  # of a variant, in sweep.until=decided


class Sweep(Group):
    name: Annotated[str, AfterValidator(check_folder_name)]
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
    until: Literal["planned", "decided"] = "planned"  # runs from before these keys have none
    first_seeds: Annotated[int, Field(ge=2, le=MOST_SEEDS)] = 5
    max_seeds: Annotated[int, Field(ge=2, le=MOST_SEEDS)] = 20
    margin: Literal["none"] | Positive = "none"


ArmName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$", max_length=60)]


class Ablation(Group):
    """An ablation study: the overrides of all its runs, and its arms, each a list of overrides.

    `labels` says in words what an arm is: "no input gate". Reports show it beside the arm's name.
    """

    base: list[str]
    arms: dict[ArmName, Annotated[list[str], Field(min_length=1)]]
    design: Literal["one_at_a_time", "leave_one_out"]
    pairs: list[Annotated[list[str], Field(min_length=2, max_length=2)]]
    labels: dict[ArmName, Annotated[str, Field(min_length=1, max_length=100)]] = Field(
        default_factory=dict
    )
