"""Runs on generated sequences: resumed, stacked, embedded, read at other lengths."""

import signal
from pathlib import Path

import pytest
import torch

from mnist_seq.config import Config, ConfigError
from mnist_seq.notebook import compose
from mnist_seq.runs.errors import Interrupted
from mnist_seq.runs.events import Ended, Listener
from mnist_seq.runs.folder import RunFolder
from mnist_seq.tasks import locate, task_of
from mnist_seq.training.preflight.count import num_params
from mnist_seq.training.preflight.memory import check_memory
from mnist_seq.training.run import Job, train_run, train_stack
from tests.training.test_run import StopAt, same

WORDS = (
    "data=parity", "data.length=6", "data.valid=20", "data.test=20", "data.probes=[2,9]",
    "model.hidden=4", "model.dropout=0.1", "training.batch_size=8", "training.updates=12",
    "training.eval_every=5", "tracker=none",
)  # fmt: skip


def job_of(path: Path, config: Config) -> Job:
    path.mkdir()
    return Job(config, locate(task_of(config.data), Path("data")), RunFolder(path), "small")


def run_in(
    path: Path, *words: str, listeners: list[Listener] | None = None
) -> tuple[Ended, RunFolder]:
    job = job_of(path, compose(*WORDS, *words))
    return train_run(job, listeners or []), job.folder


@pytest.mark.parametrize("limit", ["all", "45"])
def test_a_stream_that_was_stopped_goes_on_bit_for_bit(tmp_path: Path, limit: str) -> None:
    """A batch depends on the seed and the step alone, in whichever order batches are asked for."""
    words = (f"data.limit={limit}", "training.checkpoint_every=3")
    _, whole = run_in(tmp_path / "whole", *words)
    job = job_of(tmp_path / "stopped", compose(*WORDS, *words))
    with pytest.raises(Interrupted):
        train_run(job, [StopAt(7, signal.SIGTERM)])
    train_run(job, [])
    same(whole, job.folder)


def test_a_stack_trains_the_streams_of_its_runs(tmp_path: Path) -> None:
    """To rounding the numbers of each run alone; lengths that differ would need padding."""
    configs = [compose(*WORDS, "data.embedding=3", f"seed={seed}") for seed in (0, 1)]
    jobs = [job_of(tmp_path / f"stacked{i}", config) for i, config in enumerate(configs)]
    stacked = train_stack(jobs, [[], []], share=0.0)
    for i, config in enumerate(configs):
        alone = train_run(job_of(tmp_path / f"alone{i}", config), [])
        assert stacked[i].metrics.keys() == alone.metrics.keys()
        assert stacked[i].metrics == pytest.approx(alone.metrics, abs=1e-5)
    assert stacked[0].metrics != pytest.approx(stacked[1].metrics, abs=1e-5)


def test_other_lengths_are_read_once_and_move_nothing(tmp_path: Path) -> None:
    """They are for no choice: all else is as without them."""
    (ended, folder), (without, _) = (
        run_in(tmp_path / name, *words)
        for name, words in (("with", ()), ("without", ("data.probes=[]",)))
    )
    probed = {key: value for key, value in ended.metrics.items() if "@" in key}
    assert probed.keys() == {
        f"test@{length}/{name}" for length in (2, 9) for name in ("accuracy", "loss")
    }
    assert without.metrics == {k: v for k, v in ended.metrics.items() if k not in probed}
    assert not any("@" in key for row in folder.metrics() for key in row)
    assert folder.result()["metrics"] == ended.metrics


def test_an_embedding_is_counted_and_of_its_own_seed() -> None:
    """2 words become 3 numbers: 6 weights, and an LSTM of 3 inputs instead of 2."""
    plain, embedded = (num_params(compose(*WORDS, *w)) for w in ((), ("data.embedding=3",)))
    assert embedded == plain + 2 * 3 + 4 * 4


def test_a_matched_size_counts_the_embedding() -> None:
    """Cells are compared at one size of all that is trained."""
    words = (*WORDS[:5], *WORDS[6:], "data.embedding=3", "model=gru", "model.match=lstm-64")
    from mnist_seq.training.preflight.prepare import prepare

    solved = prepare(compose(*words)).config
    wanted = num_params(compose(*WORDS, "data.embedding=3", "model.hidden=64"))
    assert num_params(solved) == pytest.approx(wanted, rel=0.01)


def test_diagnostics_of_a_stream_are_read_on_no_training_batch(tmp_path: Path) -> None:
    """Of the length of the test set, the same at each evaluation."""
    ended, folder = run_in(tmp_path / "run", "training.diagnostics=gradients", "data.embedding=3")
    assert {f"gradient/t{t:03d}" for t in range(6)} <= folder.metrics()[0].keys()
    without, _ = run_in(tmp_path / "without", "data.embedding=3")
    assert without.metrics.items() <= ended.metrics.items()
    assert torch.isfinite(torch.tensor(list(ended.metrics.values()))).all()


def test_early_stopping_in_the_flat_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An LSTM is at chance for a thousand updates before it adds; patience would end it there."""
    words = ("data=adding", "data.length=4", "optimizer=sgd", "optimizer.lr=1e-9",
             "training.early_stop=1", "training.eval_every=1")  # fmt: skip
    _, folder = run_in(tmp_path / "run", *words)
    assert folder.result()["is_stopped_early"]
    assert "a guess has 0.1667: some tasks stay there" in caplog.text


def test_one_hot_words_and_answers_at_each_step_count_as_memory() -> None:
    """8,192 words at 256 time steps: an evaluation of 1,000 such sequences has ended a machine."""
    words = ("data=mqar", "data.vocabulary=8192", "data.length=100000", "data.test=20",
             "data.valid=20", "tracker=none")  # fmt: skip
    with pytest.raises(ConfigError, match=r"training\.batch_size=64 keeps"):
        check_memory(compose(*words))


def test_sequences_that_do_not_fit_into_memory_are_refused() -> None:
    """Before they are made: a machine that swaps for an hour says nothing."""
    config = compose(*WORDS, "data.test=2000000000", "data.length=2000000")
    with pytest.raises(ConfigError, match=r"data\.test=2000000000 of 2000000 time steps"):
        check_memory(config)
