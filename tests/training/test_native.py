"""A run by native steps is the run by torch's, to rounding, and goes on bit for bit."""

from pathlib import Path

import pytest
import torch

from mnist_seq import compose, native
from mnist_seq.config import ConfigError, identity, plain
from mnist_seq.config.paths import options
from mnist_seq.config.schema import LSTM
from mnist_seq.models.cells.gru import ScanGRU
from mnist_seq.models.cells.lstm import ScanLSTM
from mnist_seq.models.cells.rnn import ScanRNN
from mnist_seq.native import Library
from mnist_seq.runs.folder import RunFolder
from mnist_seq.tasks import task_of
from mnist_seq.training import checkpoint_check
from mnist_seq.training.loop.native import program_of
from mnist_seq.training.loop.program import Program, Single
from mnist_seq.training.preflight.count import unseeded
from mnist_seq.training.preflight.kernel import (
    Choice,
    check_kernel,
    choose,
    in_words,
    settled,
    why_not_native,
)
from mnist_seq.training.preflight.layers import farthest
from mnist_seq.training.run import Job, train_run
from tests.conftest import needs_compiler, some
from tests.tasks.made import locate
from tests.training.conftest import make_config
from tests.training.learners import advance, make_learner

pytestmark = needs_compiler

WORDS = [
    "model=lstm model.layers=2 model.dropout=0.3 model.readout=mean",
    "model=gru optimizer=adamw training.clip_norm=0.1 schedule=cosine",
    "model=lstm model.layers=2 model.bias=one training.clip_norm=0.1 optimizer.weight_decay=0.1",
    "model=rnn optimizer=rmsprop optimizer.momentum=0.9 optimizer.centered=true",
    "optimizer=sgd optimizer.weight_decay=0.1 optimizer.dampening=0.1 data.noise=0.1",
    "model=rnn model.nonlinearity=relu optimizer=sgd optimizer.momentum=0",
    "model=irnn optimizer=rmsprop model.bias=one",
    "optimizer=adam optimizer.weight_decay=0.1 optimizer.betas=[0.8,0.99]",
    "model=minlstm model.bidirectional=true model.layers=2 model.dropout=0.3 model.projection=3",
    "model=lru optimizer=nadam model.block=residual model.conv=2 training.tbptt=2",
]


@pytest.mark.parametrize("words", some(WORDS, 6))
def test_native_steps_are_those_of_torch_and_go_on_from_their_checkpoint(
    words: str,
) -> None:
    """Weights, optimizer state, sums of the loss, answers, and the form of the file."""
    learners = [make_learner(*words.split()) for _ in range(2)]
    programs: list[Program] = [Single(learners[0], None), program_of(learners[1], None)]
    for program, learner in zip(programs, learners, strict=True):
        advance(program, [learner.config], range(7))
    a, b = (learner.model for learner in learners)
    for by_torch, own in zip(a.parameters(), b.parameters(), strict=True):
        torch.testing.assert_close(own, by_torch, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(programs[1].loss_sums, programs[0].loss_sums, rtol=1e-4, atol=1e-3)
    states = [program.optimizer_state(0) for program in programs]
    assert states[0]["param_groups"] == states[1]["param_groups"]
    torch.testing.assert_close(states[1]["state"], states[0]["state"], rtol=1e-2, atol=1e-2)
    answers = [program.evaluate("valid")[0] for program in programs]
    assert answers[1].loss == pytest.approx(answers[0].loss, rel=1e-4, abs=1e-4)

    learner = learners[1]
    saved = checkpoint_check.checked_optimizer(states[1], learner.config.optimizer, b, step=7)
    again = make_learner(*words.split())
    again.model.load_state_dict(b.state_dict())
    again.generator.set_state(learner.generator.get_state())
    resumed = program_of(again, saved)
    for program, each in ((programs[1], learner), (resumed, again)):
        advance(program, [each.config], range(7, 12))
    for own, of_resumed in zip(b.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(own, of_resumed)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("model=mgu", "model=mgu has no native form"),
        ("model.peepholes=true", "model.peepholes=true has no native form"),
        ("model=gru model.reset=before", "model.reset=before has no native form"),
        ("model.block=residual", "model.block=residual has no native form"),
        ("model.bidirectional=true", "reads both ways"),
        ("model.readout=flat", "model.readout=flat"),
        ("model.readout=last_step", "model.readout=last_step"),
        ("model.head=[4]", "model.head=[4] has hidden layers"),
        ("model.projection=4", "model.projection=4"),
        ("model.readout_norm=layer", "model.readout_norm=layer"),
        ("model.readout_norm=batch", "model.readout_norm=batch"),
        ("model.layers=2 model.below=[4]", "model.below=[4] has layers of unequal widths"),
        ("model.layers=2 model.dropout=0.1 model.dropout_at=between", "model.dropout_at=between"),
        ("model.bias_init=zeros model.input_init=he model.bias=one", ""),
        ("training.tbptt=2", "training.tbptt=2"),
        ("device.precision=bf16", "device.precision=bf16"),
        ("training.clip_value=0.5", "training.clip_value=0.5 clips by value"),
        ("training.train_accuracy=true", "training.train_accuracy=true reads the answers"),
        ("optimizer=nadam", "optimizer=nadam has no native form"),
        ("optimizer.amsgrad=true", "optimizer.amsgrad=true has no native form"),
        ("model=gru model.layers=3 model.dropout=0.1 model.readout=mean optimizer=sgd", ""),
        ("model=minlstm device.precision=bf16", "device.precision=bf16"),
        ("model=minlstm training.tbptt=2 optimizer=nadam model.block=residual", ""),
        ("model=rnn optimizer=rmsprop data.noise=0.1 training.clip_norm=1", ""),
    ],
)
def test_what_native_steps_do_not_compute_is_refused_with_the_reason(words: str, why: str) -> None:
    config = make_config("device.kernel=native", *words.split())
    assert why in why_not_native(config)
    if why:
        with pytest.raises(ConfigError, match=r"device\.kernel=native cannot .*=torch"):
            check_kernel(config)
    else:
        check_kernel(config)


@pytest.mark.parametrize("cell", options("model"))
def test_a_config_tells_what_recurrent_layers_are_built(cell: str) -> None:
    """So a plan need not build them. All layers of torch's have a native step, and no others."""
    values = {
        key: [other for other in (True, False, 0.5, "before", "relu") if other != value]
        for key, value in compose(f"model={cell}").model.options().items()
    }
    changes = [[], *([f"model.{key}={other}"] for key, found in values.items() for other in found)]
    for words in [*changes, ["model.block=residual"]]:
        try:
            config = make_config(f"model={cell}", *words)
        except ConfigError:
            continue
        with torch.device("meta"):
            rnn = unseeded(config.model, task_of(config.data).spec).rnn
        kind = {ScanLSTM: "lstm", ScanGRU: "gru"}.get(type(rnn), "")
        built = f"rnn_{rnn.nonlinearity}" if isinstance(rnn, ScanRNN) else kind
        is_native = bool(built) or config.model.has_native_layers
        assert (not why_not_native(config)) == is_native, words
        assert not built or config.model.native_cell() == built


def test_a_cell_of_ones_own_that_derives_from_torchs_is_not_taken_for_it() -> None:
    class Own(LSTM):
        """With a step of its own."""

    config = make_config("model=lstm")
    assert why_not_native(config) == ""
    own = Own.model_validate({**dict(config.model), "name": "own"})
    assert "no native form" in why_not_native(config.model_copy(update={"model": own}))


def test_auto_keeps_the_kernel_of_a_run_that_has_begun(tmp_path: Path) -> None:
    """Runs of earlier versions have no such key: they are torch's."""
    config, folder = make_config("device.kernel=auto"), RunFolder(tmp_path / "run")
    assert settled(make_config("device.kernel=torch"), folder)[1] == ""
    folder.path.mkdir()
    for kernel in ("torch", "native"):
        recorded = plain(make_config(f"device.kernel={kernel}"))
        assert ("kernel" in recorded["device"]) == (kernel == "native")
        folder.update_record(config_hash="", config=recorded, data={"fingerprint": ""}, code={})
        assert settled(config, folder)[0].device.kernel == kernel
    folder.record_path.unlink()
    new, said = settled(config, folder)
    assert (new.device.kernel, said) == ("native", in_words({Choice("native"): 1}))
    other, said = settled(make_config("device.kernel=auto", "model=mgu"), folder)
    assert (other.device.kernel, "torch, since" in said) == ("torch", True)


def test_layers_that_are_not_torchs_leave_a_run_to_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan says so, once for each library; it was the run that failed."""
    copy = tmp_path / "own.so"
    copy.write_bytes(native.library().path.read_bytes())
    monkeypatch.setattr("mnist_seq.native.library", lambda: Library(copy))
    monkeypatch.setattr("mnist_seq.native.WORST", 1e-12)
    asked = make_config("model=minlstm", "device.kernel=native")
    why = "their gradients of minlstm are not torch's"
    assert why in choose(asked).why
    with pytest.raises(ConfigError, match=why):
        check_kernel(asked)
    assert not list(tmp_path.glob("*.checked"))
    monkeypatch.setattr("mnist_seq.native.WORST", 1e-4)
    assert choose(asked) == Choice("native")
    monkeypatch.setattr("mnist_seq.native.WORST", 1e-12)
    assert choose(asked) == Choice("native")  # by its mark
    assert choose(make_config("model=minlstm", "model.hidden=7")) == Choice("native")
    assert why.replace("lstm", "gru") in choose(make_config("model=mingru")).why


@pytest.mark.parametrize("cell", ["mingru", "rglru", "lru", "hgrn", "slstm"])
def test_layers_of_each_cell_pass_the_check(cell: str) -> None:
    """With room to spare: few units made the sLSTM fail, whose norm amplifies rounding."""
    model = make_config(f"model={cell}").model
    assert farthest(native.library(), model) < native.WORST / 10


def test_the_choices_of_a_sweep_are_one_line() -> None:
    native, mgu = Choice("native"), Choice("torch", "this model=mgu has no native form")
    assert in_words({native: 3, mgu: 2}).endswith(
        "native in 3 of 5 runs, torch in the others, since this model=mgu has no native form"
    )


def test_a_native_run_has_its_kernel_in_its_record_and_its_identity(tmp_path: Path) -> None:
    configs = [make_config(f"device.kernel={kernel}") for kernel in ("torch", "native")]
    assert "kernel" not in plain(configs[0])["device"]
    assert identity(configs[0]) != identity(configs[1])
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    ended = train_run(Job(configs[1], locate("mnist_5k", Path("data")), folder, "n"), [])
    record = folder.record()
    assert (ended.state, record["kernel"]) == ("finished", "native")
    assert record["config"]["device"]["kernel"] == "native"
