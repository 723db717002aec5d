"""Learning-rate schedules against torch's own."""

import pytest
import torch

from mnist_seq.config.schema import Cosine, OneCycle, Schedule, Step
from mnist_seq.training.schedules import lr_factor


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
