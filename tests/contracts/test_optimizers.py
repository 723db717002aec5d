"""What every optimizer must do: those of `conf/optimizer/`, found by scanning."""

import pytest
import torch
from torch import Tensor, nn

from mnist_seq.config import ConfigError
from mnist_seq.config.paths import options
from mnist_seq.config.schema import Optimizer
from mnist_seq.models import ParameterGroup
from mnist_seq.models.cells import Shape
from mnist_seq.models.cells.mgu import MGU
from mnist_seq.models.recurrence import Recurrence
from mnist_seq.sweep.stack.stackable import problem
from mnist_seq.training.batched.stack import Stack
from mnist_seq.training.loop.learner import Learner
from mnist_seq.training.loop.program import Program, Single
from mnist_seq.training.optimizers import build_optimizer, class_of, groups_of
from mnist_seq.training.preflight.optimizer import traits
from tests.conftest import some
from tests.training.conftest import make_config
from tests.training.learners import advance, make_learner
from tests.training.test_stack import check_equal, close, differing, float64
from tests.training.test_waits_for_nothing import check

__all__ = ["float64"]

NAMES = options("optimizer")
STEPS, TOLERANCE = 50, 1e-9
CPU = torch.device("cpu")


def settings(name: str, **changes: object) -> Optimizer:
    return make_config(f"optimizer={name}").optimizer.model_copy(update=changes)


STACKABLE = [name for name in NAMES if not traits(settings(name)).stack_problem]
# Their options that change what is computed, tried beside the YAML as it stands
FURTHER = {
    "adam": ("optimizer.amsgrad=true",),
    "adamw": ("optimizer.amsgrad=true",),
    "nadam": ("optimizer.momentum_decay=0.01",),
    # centered divides by the root of a difference, in which a small eps lets rounding grow
    "rmsprop": ("optimizer.momentum=0.9", "optimizer.centered=true", "optimizer.eps=1.0e-2"),
    "sgd": ("optimizer.momentum=0.8", "optimizer.dampening=0.2"),
    "adagrad": ("optimizer.lr_decay=0.1", "optimizer.initial_accumulator_value=0.1"),
}


class Grouped(MGU):
    """A cell whose recurrent weights learn slowly, and whose biases do not decay."""

    def parameter_groups(self) -> list[ParameterGroup]:
        return [
            ParameterGroup("slow", ("weight_hh",), lr_factor=0.1),
            ParameterGroup("biases", ("bias_ih",), is_decayed=False),
        ]


def grouped(*words: str) -> Learner:
    """A run of the cell above, in two layers."""
    learner = make_learner("model=mgu", "model.layers=2", *words)
    data, config = learner.data, learner.config
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        shape = Shape(data.time_steps, data.input_size)
        learner.model.rnn = Recurrence(Grouped, shape, config.model)
    return learner


def is_equal(a: object, b: object) -> bool:
    if isinstance(a, dict):
        assert isinstance(b, dict)
        return a.keys() == b.keys() and all(is_equal(a[key], b[key]) for key in a)
    if isinstance(a, list):
        assert isinstance(b, list)
        return len(a) == len(b) and all(map(is_equal, a, b))
    return torch.equal(a, b) if isinstance(a, Tensor) and isinstance(b, Tensor) else a == b


@pytest.mark.parametrize("name", NAMES)
def test_a_step_is_that_of_the_class_as_its_authors_call_it(name: str) -> None:
    """What is left out of torch's way of stepping, and fused kernels, must not show."""
    ours, theirs = (nn.Parameter(torch.linspace(-1, 1, 12).view(3, 4)) for _ in range(2))
    chosen = settings(name, weight_decay=0.1)
    built = build_optimizer(chosen, [ParameterGroup("rest", ("rnn.w",))], {"rnn.w": ours}, CPU)
    plain = class_of(name)([theirs], **chosen.model_dump(exclude={"name"}))
    for step in range(3):
        for weight, optimizer in ((ours, built), (theirs, plain)):
            weight.grad = torch.linspace(1, 2, 12).view(3, 4).cos() * (step - 1.2)
            optimizer.step()
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_it_learns(name: str) -> None:
    """By the learning rate of its YAML the loss of an epoch falls within 20 epochs."""
    learner = make_learner(f"optimizer={name}", "model=rnn", "model.hidden=16")
    single = Single(learner, None)
    losses = []
    for first in range(0, 60, 3):
        single.loss_sums.zero_()
        advance(single, [learner.config], range(first, first + 3))
        losses.append(float(single.loss_sums))
    assert losses[-1] < 0.97 * losses[0]


@pytest.mark.parametrize("name", NAMES)
def test_groups_have_their_learning_rates_and_their_decay(name: str) -> None:
    """As an optimizer of its own for each group, with the group's settings."""
    chosen = settings(name, weight_decay=0.1)
    learner = grouped(f"optimizer={name}", "optimizer.weight_decay=0.1")
    groups = groups_of(chosen, learner.model)
    weights = dict(learner.model.named_parameters())
    assert sorted(w for group in groups for w in group.weights) == sorted(weights)
    start = {key: weight.detach().clone() for key, weight in weights.items()}
    single = Single(learner, None)
    apart = {key: nn.Parameter(weight.clone()) for key, weight in start.items()}
    decays = {group: 0.1 if group.is_decayed else 0.0 for group in groups}
    assert {group.name for group in groups} == {"rest", "slow", "biases"}
    optimizers = [
        build_optimizer(
            chosen.model_copy(
                update={"lr": chosen.lr * group.lr_factor, "weight_decay": decays[group]}
            ),
            [ParameterGroup("alone", group.weights, kind=group.kind)],
            apart,
            CPU,
        )
        for group in groups
    ]
    gradients = {key: torch.full_like(weight, 0.3).cumsum(0) for key, weight in weights.items()}
    for _ in range(3):
        single._set_rate(chosen.lr)
        for key, gradient in gradients.items():
            weights[key].grad, apart[key].grad = gradient.clone(), gradient.clone()
        for optimizer in (single.optimizer, *optimizers):
            optimizer.step()
    for key, weight in weights.items():
        torch.testing.assert_close(weight, apart[key], rtol=1e-12, atol=1e-12)
        assert not torch.equal(weight, start[key])


@pytest.mark.parametrize("name", NAMES)
def test_a_run_goes_on_bitwise(name: str) -> None:
    """Its state dict is all that it remembers, of every group."""
    words = (f"optimizer={name}", "optimizer.weight_decay=0.1")
    whole, halved = grouped(*words), grouped(*words)
    program = Single(whole, None)
    advance(program, [whole.config], range(10))
    first = Single(halved, None)
    advance(first, [halved.config], range(5))
    last = Single(halved, first.optimizer_state(0))
    advance(last, [halved.config], range(5, 10))
    assert is_equal(halved.model.state_dict(), whole.model.state_dict())
    assert is_equal(last.optimizer_state(0), program.optimizer_state(0))


@pytest.mark.parametrize("name", NAMES)
def test_one_group_is_the_list_of_all_weights(name: str) -> None:
    """A model without groups has the state that runs had before there were any."""
    learner = make_learner(f"optimizer={name}", "model=rnn")
    single = Single(learner, None)
    advance(single, [learner.config], range(2))
    groups = single.optimizer_state(0)["param_groups"]
    num_weights = len(list(learner.model.parameters()))
    assert sorted(i for group in groups for i in group["params"]) == list(range(num_weights))
    kinds = {group.get("kind") for group in groups}
    assert len(groups) == len(kinds)
    assert kinds == {None} or None not in kinds


@pytest.mark.parametrize("name", some(STACKABLE, 2))
def test_a_stack_has_rates_and_decays_of_its_runs(name: str) -> None:
    """Weight decay is in the gradient, or apart."""
    own = [
        (*of_run, f"optimizer.weight_decay={decay}")
        for of_run, decay in zip(differing(3), (0.0, 0.1, 0.02), strict=True)
    ]
    words = (f"optimizer={name}", "training.clip_norm=0.5", "model=rnn")
    check_equal(words, own)
    if name in FURTHER:
        check_equal((*words, *FURTHER[name]), own)


def test_nesterovs_momentum_is_linear_too() -> None:
    check_equal(("optimizer=sgd", "optimizer.nesterov=true", "model=rnn"), differing(2))


@pytest.mark.parametrize("name", some(STACKABLE, 2))
def test_groups_in_a_stack_are_those_of_the_run_alone(name: str) -> None:
    """Weights, optimizer's state and what goes on from it, alone or in a stack."""
    words = (f"optimizer={name}", "training.clip_norm=0.5")
    own = [(*of_run, "optimizer.weight_decay=0.1") for of_run in differing(3)]
    whole, moved = ([grouped(*words, *of_run) for of_run in own] for _ in range(2))
    configs = [learner.config for learner in whole]
    singles = [Single(learner, None) for learner in whole]
    for single, config in zip(singles, configs, strict=True):
        advance(single, [config], range(STEPS))
    stack = Stack(moved, [None] * 3)
    advance(stack, configs, range(20))
    last = Single(moved[2], stack.optimizer_state(2))
    pair = Stack(moved[:2], [stack.optimizer_state(i) for i in range(2)])
    advance(last, configs[2:], range(20, STEPS))
    advance(pair, configs[:2], range(20, STEPS))
    for i, single in enumerate(singles):
        close(moved[i].model.state_dict(), whole[i].model.state_dict())
        mine = pair.optimizer_state(i) if i < 2 else last.optimizer_state(0)
        theirs = single.optimizer_state(0)
        for ours, alone in zip(mine["param_groups"], theirs["param_groups"], strict=True):
            assert ours.pop("lr") == pytest.approx(alone.pop("lr"), rel=1e-12)
            assert ours == alone
        close(mine["state"], theirs["state"])


@pytest.mark.parametrize("name", some(STACKABLE, 2))
def test_a_run_changes_between_a_stack_and_a_process_of_its_own(name: str) -> None:
    """A checkpoint says nothing of how it came to be, so that any launcher goes on from it."""
    words = (f"optimizer={name}", "model=rnn", "model.dropout=0.2")
    own = differing(3)
    whole = [make_learner(*words, *of_run) for of_run in own]
    configs = [learner.config for learner in whole]
    for learner in whole:
        advance(Single(learner, None), [learner.config], range(STEPS))
    moved = [make_learner(*words, *of_run) for of_run in own]
    programs: list[Program] = [Single(learner, None) for learner in moved]
    for program, config in zip(programs, configs, strict=True):
        advance(program, [config], range(7))
    stack = Stack(moved, [program.optimizer_state(0) for program in programs])
    advance(stack, configs, range(7, 20))
    halves = [Stack(moved[:2], [stack.optimizer_state(i) for i in range(2)])]
    advance(halves[0], configs[:2], range(20, STEPS))
    last = Single(moved[2], stack.optimizer_state(2))
    advance(last, configs[2:], range(20, STEPS))
    for learner, expected in zip(moved, whole, strict=True):
        close(learner.model.state_dict(), expected.model.state_dict())


@pytest.mark.parametrize("name", NAMES)
def test_one_that_no_stack_can_have_is_refused_by_name(name: str) -> None:
    why = problem(make_config(f"optimizer={name}"))
    assert (name in STACKABLE) == (not why)
    assert not why or why.startswith(f"optimizer={name} ")


@pytest.mark.parametrize("name", NAMES)
def test_a_run_goes_on_where_another_device_left_it(name: str) -> None:
    """device=auto is one config on every machine: what a GPU's optimizer says of itself in a
    checkpoint, or a CPU's, must not be believed elsewhere."""
    words = (f"optimizer={name}", "model=rnn")
    whole, moved = (make_learner(*words) for _ in range(2))
    advance(Single(whole, None), [whole.config], range(10))
    first = Single(moved, None)
    advance(first, [moved.config], range(5))
    saved = first.optimizer_state(0)
    elsewhere = {"fused": True, "capturable": True, "foreach": True}
    for group in saved["param_groups"]:
        group.update({key: elsewhere[key] for key in elsewhere.keys() & group.keys()})
    advance(Single(moved, saved), [moved.config], range(5, 10))
    close(moved.model.state_dict(), whole.model.state_dict())


@pytest.mark.parametrize(
    ("kind", "name"),
    [("alone", name) for name in NAMES] + [("stack", name) for name in STACKABLE],
)
def test_it_waits_for_nothing(kind: str, name: str) -> None:
    """No step asks the device for a value."""
    check(kind, f"optimizer={name}", "optimizer.weight_decay=0.1", "training.clip_norm=0.5")


@pytest.mark.parametrize("name", NAMES)
def test_what_it_keeps_is_what_the_memory_estimate_counts(name: str) -> None:
    learner = make_learner(f"optimizer={name}", "model=rnn")
    single = Single(learner, None)
    advance(single, [learner.config], range(2))
    counted = traits(learner.config.optimizer).num_averages
    for weight in learner.model.parameters():
        state = single.optimizer.state[weight].values()
        kept = sum(isinstance(v, Tensor) and v.shape == weight.shape for v in state)
        assert kept >= counted


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("lion", {"betas": [2.0, 3.0]}), "optimizer=lion refuses its keys: betas must be"),
        (("muon", {"ns_steps": 0}), "optimizer=muon refuses its keys: ns_steps must be 1 to 99: 0"),
        (("muon", {"adjust_lr_fn": "orginal"}), "optimizer=muon refuses its keys"),
    ],
)
def test_a_value_that_it_cannot_take_is_refused(
    words: tuple[str, dict[str, object]], message: str
) -> None:
    name, changes = words
    with pytest.raises(ConfigError, match=message):
        traits(settings(name, **changes))


@pytest.mark.parametrize("wrong", ["sparseadam", "lbfgs", "nonsense", "muon"])
def test_one_that_cannot_step_by_these_keys_is_refused_in_one_line(wrong: str) -> None:
    """A YAML of one's own that names an optimizer of torch with other keys."""
    with pytest.raises(ConfigError) as caught:
        traits(Optimizer(name=wrong, lr=0.1, weight_decay=0.0))
    assert wrong in str(caught.value)
    assert "\n" not in str(caught.value)


def test_torchs_others_are_had_by_a_yaml_alone() -> None:
    """Which of them can be stacked is found out, and which key they do not take is said."""
    found = {
        name: traits(Optimizer(name=name, lr=0.1, weight_decay=0.0)).stack_problem
        for name in ("adamax", "radam", "asgd", "rprop", "adafactor")
    }
    assert [name for name, why in found.items() if not why] == ["adamax", "radam"]
    with pytest.raises(ConfigError, match=r"not take the key weight_decay: .*=0\.2.*step_sizes"):
        traits(Optimizer(name="rprop", lr=0.1, weight_decay=0.2))


def test_lion_is_the_paper_s() -> None:
    """Algorithm 2 of arXiv:2302.06675, written down again."""
    weight = nn.Parameter(torch.tensor([1.0, -2.0, 0.5]))
    chosen = settings("lion", lr=0.01, weight_decay=0.1, betas=[0.8, 0.95])
    lion = build_optimizer(chosen, [ParameterGroup("rest", ("w",))], {"w": weight}, CPU)
    theta, m = weight.detach().clone(), torch.zeros(3)
    for step in range(5):
        g = torch.tensor([0.3, -0.1, 0.2]) * (-1) ** step * (step + 1)
        weight.grad = g.clone()
        lion.step()
        c = 0.8 * m + (1 - 0.8) * g
        theta = theta - 0.01 * (c.sign() + 0.1 * theta)
        m = 0.95 * m + (1 - 0.95) * g
    torch.testing.assert_close(weight.detach(), theta, rtol=1e-12, atol=1e-12)


def test_muon_is_torchs_for_matrices_of_the_cells_and_adamw_for_the_rest() -> None:
    learner = make_learner("optimizer=muon", "model.layers=2", "optimizer.weight_decay=0.1")
    weights = dict(learner.model.named_parameters())
    copies = {name: nn.Parameter(weight.detach().clone()) for name, weight in weights.items()}
    matrices = [name for name in copies if "weight" in name and name.startswith("rnn.")]
    assert len(matrices) == 4
    chosen = learner.config.optimizer.model_dump()
    shared = {key: chosen[key] for key in ("lr", "weight_decay")}
    muon = {key: chosen[key] for key in ("momentum", "nesterov", "ns_steps", "adjust_lr_fn")}
    adamw = {key: chosen[key] for key in ("betas", "eps")}
    parts = [
        torch.optim.Muon([copies[name] for name in matrices], **shared, **muon),
        torch.optim.AdamW([copies[k] for k in copies if k not in matrices], **shared, **adamw),
    ]
    single = Single(learner, None)
    for step in range(3):
        single._set_rate(chosen["lr"])
        for name, weight in weights.items():
            weight.grad = torch.full_like(weight, 0.2 + step).cumsum(0)
            copies[name].grad = weight.grad.clone()
        for optimizer in (single.optimizer, *parts):
            optimizer.step()
    for name, weight in weights.items():
        torch.testing.assert_close(weight, copies[name], rtol=1e-12, atol=1e-12)
