"""How many runs fit: measured on a step that really runs."""

import pytest
import torch
from torch import Tensor, nn

from mnist_seq.training.batched.errors import TooManyRuns
from mnist_seq.training.batched.sizing import MEASURED, check_fits
from mnist_seq.training.memory import is_out_of_memory
from tests.training.learners import make_learner


def test_as_many_runs_as_memory_takes() -> None:
    """A sweep of a thousand runs must not be begun as one stack where fifty fit."""
    learner = make_learner("seed=0", "model.hidden=64")
    before = learner.generator.get_state(), learner.model.state_dict()["head.weight"].clone()
    check_fits(learner, MEASURED + 1, share=1.0)
    with pytest.raises(TooManyRuns) as caught:
        check_fits(learner, 10**9, share=1.0)
    assert MEASURED < caught.value.most < 10**9
    with pytest.raises(TooManyRuns) as half:
        check_fits(learner, 10**9, share=1e-9)
    assert half.value.most == 1
    assert torch.equal(learner.generator.get_state(), before[0])
    assert torch.equal(learner.model.state_dict()["head.weight"], before[1])


class Failing(nn.Linear):
    """A head that cannot be tried out."""

    def __init__(self, like: nn.Linear, *, needs: int) -> None:
        super().__init__(like.in_features, like.out_features)
        self._needs = needs

    def forward(self, input: Tensor) -> Tensor:
        torch.empty(self._needs, dtype=torch.uint8)
        return super().forward(input if input.sum() > 0 else -input)


def test_a_stack_that_cannot_be_measured_is_not_lost() -> None:
    """Too little memory for the trial is too little for the stack. Any other error is met by the
    stack itself, whose runs keep it, or go alone where they may."""
    learner = make_learner("seed=0")
    learner.model.head = Failing(learner.model.head, needs=1 << 60)
    with pytest.raises(TooManyRuns) as caught:
        check_fits(learner, MEASURED + 1, share=1.0)
    assert caught.value.most == MEASURED // 2
    learner.model.head = Failing(learner.model.head, needs=0)
    check_fits(learner, MEASURED + 1, share=1.0)


def test_an_allocation_that_fails_is_known_by_what_torch_says() -> None:
    """On a CPU it is a plain RuntimeError."""
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(RuntimeError("CUDA error: out of memory"))  # a graph's own memory
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_an_allocation_that_led_to_another_error_is_known() -> None:
    """As where a CUDA graph's capture breaks off."""

    def breaks_off() -> None:
        try:
            torch.empty(1 << 60, dtype=torch.uint8)
        finally:
            raise ValueError("on the way out")

    with pytest.raises(ValueError, match="on the way out") as caught:
        breaks_off()
    assert is_out_of_memory(caught.value)
