"""What every schedule must do: those of `conf/schedule/`, found by scanning; some equal torch's."""

import math

import pytest
import torch

from mnist_seq.config import Config, ConfigError
from mnist_seq.config.paths import options
from mnist_seq.config.schema import Cosine, OneCycle, Schedule, Step
from mnist_seq.training.loop.best import Choice
from mnist_seq.training.preflight.check import check_run
from mnist_seq.training.preflight.schedule import check_schedule
from mnist_seq.training.schedules import epoch_rates, lr_factor, scale_of
from tests.training.conftest import make_config

NAMES = options("schedule")


def of(name: str, /, **changes: object) -> Schedule:
    return make_config(f"schedule={name}").schedule.model_copy(update=changes)


def factors(schedule: Schedule, num_steps: int, steps_per_epoch: int = 10) -> list[float]:
    return [
        lr_factor(schedule, s, num_steps=num_steps, steps_per_epoch=steps_per_epoch)
        for s in range(num_steps)
    ]


def torch_factors(make: object, num_steps: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimizer)  # type: ignore[operator]
    values = []
    for _ in range(num_steps):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return values


def test_constant_is_one_after_a_linear_warm_up() -> None:
    assert factors(Schedule(name="constant", warmup=3), 6) == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


def test_cosine_equals_torch() -> None:
    ours = factors(Cosine(name="cosine", warmup=0, final=0.1), 21)
    theirs = torch_factors(
        lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=20, eta_min=0.1), 21
    )
    assert ours == pytest.approx(theirs)


def test_onecycle_equals_torch() -> None:
    ours = factors(OneCycle(name="onecycle", warmup=0, peak_at=0.3, start=0.04, final=4e-6), 101)
    theirs = torch_factors(
        lambda o: torch.optim.lr_scheduler.OneCycleLR(
            o, max_lr=1.0, total_steps=101, pct_start=31 / 101, cycle_momentum=False
        ),
        101,
    )
    assert ours == pytest.approx(theirs, abs=1e-12)


def test_step_equals_torch() -> None:
    ours = factors(Step(name="step", warmup=0, every=2, gamma=0.5), 50)
    theirs = torch_factors(
        lambda o: torch.optim.lr_scheduler.StepLR(o, step_size=20, gamma=0.5), 50
    )
    assert ours == pytest.approx(theirs)


def test_a_warm_up_longer_than_the_run_never_divides_by_zero() -> None:
    assert factors(Cosine(name="cosine", warmup=10, final=0.0), 3) == pytest.approx(
        [1 / 11, 2 / 11, 3 / 11]
    )


def test_linear_equals_torch() -> None:
    ours = factors(of("linear", final=0.25), 21)
    theirs = torch_factors(
        lambda o: torch.optim.lr_scheduler.LinearLR(
            o, start_factor=1.0, end_factor=0.25, total_iters=20
        ),
        21,
    )
    assert ours == pytest.approx(theirs)


def test_wsd_is_constant_then_a_line() -> None:
    ours = factors(of("wsd", decay=0.4, final=0.5), 11)
    assert ours == pytest.approx([1.0] * 7 + [0.875, 0.75, 0.625, 0.5])


def test_inverse_time_equals_torch() -> None:
    ours = factors(of("inverse_time", decay=0.5), 9)
    theirs = torch_factors(
        lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda step: 1 / (1 + 0.5 * step)), 9
    )
    assert ours == pytest.approx(theirs)


def test_plateau_equals_torch() -> None:
    """Whose patience is one less; what is better by too little is no improvement."""
    values = [0.5, 0.6, 0.55, 0.6, 0.6005, 0.3, 0.7, 0.7, 0.1, 0.2, 0.1, 0.1, 0.1]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, "max", factor=0.3, patience=1, threshold=0.001, threshold_mode="abs", min_lr=0.02
    )
    is_better = Choice("valid/accuracy", True, 0.001).is_better
    for i, value in enumerate(values):
        theirs.step(value)
        schedule = of("plateau", gamma=0.3, patience=2, final=0.02)
        ours = scale_of(schedule, values[: i + 1], is_better)
        assert ours == pytest.approx(optimizer.param_groups[0]["lr"])
    assert ours == 0.02
    assert scale_of(of("constant"), values, is_better) == 1.0


def test_a_schedule_that_goes_by_validation_needs_some() -> None:
    check_run(make_config("schedule=plateau"))
    with pytest.raises(ConfigError, match="schedule=plateau goes by validation"):
        check_run(make_config("schedule=plateau", "data.valid=0"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("num_steps", "warmup"), [(1, 0), (2, 1), (60, 0), (61, 7), (3, 3)])
def test_each_step_has_a_factor(name: str, num_steps: int, warmup: int) -> None:
    """Finite and 0 or more from the first step to the last, in runs of a step, too."""
    found = factors(of(name, warmup=warmup), num_steps)
    assert all(math.isfinite(factor) and 0 <= factor <= 1 for factor in found)
    check_schedule(of(name, warmup=warmup), num_steps=num_steps, steps_per_epoch=10)


@pytest.mark.parametrize("name", NAMES)
def test_the_warm_up_is_one_for_all(name: str) -> None:
    """It rises to where the schedule begins, which then runs as if there had been none."""
    warmed, plain = factors(of(name, warmup=4), 44), factors(of(name, warmup=0), 40)
    assert warmed[:4] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert warmed[4:] == plain


@pytest.mark.parametrize("name", NAMES)
def test_a_factor_remembers_nothing(name: str) -> None:
    """Else a resumed run would have another learning rate: any order of asking gives the same."""
    forwards = factors(of(name), 30)
    backwards = [
        lr_factor(of(name), step, num_steps=30, steps_per_epoch=10) for step in reversed(range(30))
    ]
    assert forwards == backwards[::-1]


def test_runs_of_a_stack_have_their_own_rates() -> None:
    """A column a run: its schedule times its learning rate."""
    configs: list[Config] = []
    for i, name in enumerate(NAMES):
        config = make_config(f"schedule={name}", f"optimizer.lr=0.0{i + 1}")
        configs.append(config)
    rates = epoch_rates(configs, 2, num_steps=40, steps_per_epoch=10)
    for column, config in zip(rates.T.tolist(), configs, strict=True):
        whole = factors(config.schedule, 40)
        assert column == pytest.approx([config.optimizer.lr * f for f in whole[20:30]], rel=1e-15)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("linear", {"final": -0.5}, "schedule=linear refuses its keys: final must be from 0 to 1"),
        ("wsd", {"decay": 0.0}, "schedule=wsd refuses its keys: decay must be more than 0"),
        (
            "inverse_time",
            {"decay": -0.1},
            "inverse_time refuses its keys: decay must be 0",
        ),
        ("step", {"gamma": -1.0}, "schedule=step must give each step a finite factor of 0 or more"),
        ("nonsense", {}, "schedule=nonsense must have a file with a function factor"),
        ("cosine", {"name": "wsd"}, "schedule=wsd refuses its keys: "),
    ],
)
def test_keys_that_it_cannot_take_are_refused(
    name: str, changes: dict[str, object], message: str
) -> None:
    schedule = of(name, **changes) if name in NAMES else Schedule(name=name, warmup=0)
    with pytest.raises(ConfigError, match=message):
        check_schedule(schedule, num_steps=30, steps_per_epoch=10)
