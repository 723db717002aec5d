"""Trains runs from their configs to their results, each in its folder: one alone, or a stack."""

import datetime
from collections.abc import Sequence
from dataclasses import replace

import torch

from mnist_seq import tasks
from mnist_seq.config import Config, identity, plain
from mnist_seq.config.schema import Images
from mnist_seq.models import Shape, build_classifier
from mnist_seq.runs import provenance
from mnist_seq.runs.errors import Interrupted, RunFailed
from mnist_seq.runs.events import Ended, Listener
from mnist_seq.runs.stale import check_same
from mnist_seq.tasks.batches.split import split, with_wrong_labels
from mnist_seq.tasks.batches.stream_data import StreamData
from mnist_seq.tasks.batches.task_data import TaskData
from mnist_seq.tasks.examples import Examples, checked
from mnist_seq.tasks.streams import Stream
from mnist_seq.training import checkpoint
from mnist_seq.training.batched.errors import NotStackable, TooManyRuns
from mnist_seq.training.device import device_name, open_device
from mnist_seq.training.job import Job, record_failure
from mnist_seq.training.loop.interruption import Interruption
from mnist_seq.training.loop.learner import Learner
from mnist_seq.training.loop.logbook import Logbook
from mnist_seq.training.loop.loop import Loop
from mnist_seq.training.loop.program import Program, Single
from mnist_seq.training.loop.start import freeze, take_start
from mnist_seq.training.memory import is_out_of_memory
from mnist_seq.training.seeds import derive

__all__ = ["Job", "recorded_end", "train_run", "train_stack"]


def recorded_end(job: Job) -> Ended | None:
    """The end of a run that has ended in this folder before, or None where it is to be trained.

    Raises:
        StaleRun: the folder holds a run of another config or other data.
        ValueError: a file of the folder is damaged.
    """
    check_same(job.folder, job.config, {"fingerprint": job.located.fingerprint})
    state = job.folder.state()
    if state not in ("finished", "diverged"):
        return None
    result = job.folder.result()
    return Ended(
        "finished" if state == "finished" else "diverged",
        0,
        result.get("reason", ""),
        {k: v for k, v in result["metrics"].items() if v is not None},
        {k: v for k, v in result.get("best", {}).items() if v is not None},
        result["seconds"],
    )


def train_run(job: Job, listeners: list[Listener]) -> Ended:
    """Train a run to its end, from its last checkpoint if it has one.

    Raises:
        ConfigError: the run cannot be as asked, or the folder holds another one.
        Interrupted: a signal came; the run can be resumed.
        RunFailed: anything else; the folder holds error.txt.
    """
    device = open_device(job.config.device)
    with Interruption() as interruption:
        data: TaskData | None = None
        try:
            data = _begin_run(job, load_examples(job), device)
            book = _open_logbook(job, data, listeners)
        except Exception as error:
            if data is None and isinstance(error, ValueError | OSError):
                raise  # the config or the data are refused, and nothing is written yet
            raise RunFailed(record_failure(job, error, listeners).reason) from error
        _train([book], interruption)
    assert book.ended is not None
    if book.error is not None:
        raise RunFailed(book.ended.reason) from book.error
    return book.ended


def train_stack(
    jobs: Sequence[Job], listeners: Sequence[list[Listener]], *, share: float
) -> list[Ended]:
    """Train runs of equal shape as one program, each in its own folder.

    Each run has the numbers that it has alone, up to rounding. A failure stops no other run.

    Args:
        listeners: of each run.
        share: of the free memory that these runs may use; 0 skips the measurement.

    Returns:
        How each run ended, in the order of the jobs.

    Raises:
        TooManyRuns: the runs do not fit into memory; those that have not ended can be resumed.
        Interrupted: a signal came; the runs can be resumed.
    """
    from mnist_seq.training.batched.sizing import check_fits  # imports torch.func

    device, examples = open_device(jobs[0].config.device), load_examples(jobs[0])
    ended: dict[int, Ended] = {}
    books: dict[int, Logbook] = {}
    data: TaskData | None = None
    with Interruption() as interruption:
        for i, (job, of_run) in enumerate(zip(jobs, listeners, strict=True)):
            try:
                data = _begin_run(job, examples, device, num_runs=len(jobs), beside=data)
                books[i] = _open_logbook(job, data, of_run)
            except Exception as error:
                if is_out_of_memory(error) and len(jobs) > 1:
                    raise TooManyRuns(len(jobs) // 2) from error
                ended[i] = record_failure(job, error, of_run)
            if share and len(books) == 1 and i in books:
                check_fits(books[i].learner, len(jobs), share=share)
        _train(list(books.values()), interruption)
    return [ended[i] if i in ended else _ending(books[i]) for i in range(len(jobs))]


def _ending(book: Logbook) -> Ended:
    assert book.ended is not None
    return book.ended


def _begin_run(
    job: Job,
    examples: Examples,
    device: torch.device,
    *,
    num_runs: int = 1,
    beside: TaskData | None = None,
) -> TaskData:
    """Prepare the folder for training, write run.json, and load the data.

    Args:
        beside: the data of another run of the stack, whose sequences are shared.

    Raises:
        ConfigError: the run cannot be as asked, or the folder holds another one.
    """
    check_same(job.folder, job.config, {"fingerprint": job.located.fingerprint})
    data = _load_data(job, examples, device, beside)
    job.folder.clear_error()
    job.folder.clear_unfinished()
    record(job, data, device, num_runs=num_runs)
    return data


def load_examples(job: Job) -> Examples:
    """All examples of a run's task, checked against what the task says of them.

    Raises:
        ValueError: a file is damaged, or the examples are not what the task says.
    """
    task = tasks.task_of(job.config.data)
    return checked(task.load(job.located), task.spec, task.num_loaded(), task.name)


def _load_data(
    job: Job, examples: Examples, device: torch.device, beside: TaskData | None
) -> TaskData:
    settings, task = job.config.data, tasks.task_of(job.config.data)
    if isinstance(task, Stream):
        return StreamData(
            task,
            examples,
            seed=derive(job.config.seed, "stream"),
            batch_size=job.config.training.batch_size,
            is_shuffled=job.config.training.order == "shuffled",
            device=device,
            fingerprint=job.located.fingerprint,
        )
    parts = split(
        len(examples.train.x),
        valid=task.num_valid,
        limit=None if settings.limit == "all" else settings.limit,
        generator_seed=derive(job.config.seed, "split"),
        is_drawn=not task.has_own_valid,
    )
    if isinstance(settings, Images) and settings.label_noise:
        labels = with_wrong_labels(
            torch.from_numpy(examples.train.y),
            parts.train,
            share=settings.label_noise,
            num_classes=task.spec.num_outputs,
            generator_seed=derive(job.config.seed, "label_noise"),
        )
        examples = replace(examples, train=replace(examples.train, y=labels.numpy()))
    return TaskData(
        task,
        examples,
        split=parts,
        device=device,
        fingerprint=job.located.fingerprint,
        beside=beside,
    )


def record(job: Job, data: TaskData, device: torch.device, *, num_runs: int) -> None:
    """Write run.json: what this run is, and which code, data and machine its numbers come from.

    Args:
        num_runs: of the stack, 1 for a run alone. The runs of a stack share its seconds.
    """
    before = job.folder.record() if job.folder.record_path.exists() else {}
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    job.folder.update_record(
        name=job.name,
        config_hash=identity(job.config),
        config=plain(job.config),
        overrides=list(job.overrides),
        data={"requested": job.located.requested, **data.identity()},
        task=tasks.record(data.task, data.task.guess(data.examples)),
        device=device_name(device),
        stack=num_runs,
        **data.examples.record(),
        created=before.get("created", now),
        started=now,
        starts=before.get("starts", 0) + 1,
        **provenance.describe(job.config),
    )


def _open_logbook(job: Job, data: TaskData, listeners: list[Listener]) -> Logbook:
    """The logbook of a run, with a new model or with what its checkpoint holds."""
    config = job.config
    model = build_classifier(
        config.model,
        shape=Shape(data.time_steps, data.input_size),
        num_outputs=data.spec.num_outputs,
        per_step=data.spec.per_step,
        rnn_seed=derive(config.seed, "init/rnn"),
        head_seed=derive(config.seed, "init/head"),
        embedding=data.spec.embedding,
        embedding_seed=derive(config.seed, "init/embedding"),
        tbptt=config.training.tbptt,
    ).to(data.device)
    generator = torch.Generator(data.device).manual_seed(derive(config.seed, "dropout"))
    job.folder.update_record(kernel=_kernel(config, model.rnn))
    freeze(model, config.training.freeze)
    book = Logbook(job, Learner(config, data, model, generator), listeners)
    book.restore(saved := checkpoint.read(job.folder, model))
    if saved is None:
        book.saved_optimizer = take_start(job, model)
    return book


def _kernel(config: Config, layers: torch.nn.Module) -> str:
    """What runs the layers: torch's modules, such as "nn.LSTM", own "steps", or compiled code."""
    if config.device.kernel == "native":
        return "native layers" if config.model.has_native_layers else "native"
    bases = (base for each in layers.modules() for base in type(each).__mro__)
    kinds = (f"nn.{k.__name__}" for k in bases if k.__module__ == torch.nn.RNNBase.__module__)
    return next(kinds, "steps")


def _train(books: Sequence[Logbook], interruption: Interruption) -> None:
    """Train runs to their ends. Runs that resume at the same step are trained together.

    Raises:
        TooManyRuns, Interrupted: see `train_stack`.
    """
    groups: dict[int, list[Logbook]] = {}
    for book in books:
        groups.setdefault(book.state.step, []).append(book)
    for group in groups.values():
        try:
            Loop(_program(group), group).fit(interruption)
        except Interrupted as stop:
            for book in books:
                if book.ended is None:
                    book.interrupt(stop)
            raise
        except Exception as error:
            if is_out_of_memory(error) and len(group) > 1:
                raise TooManyRuns(len(group) // 2) from error
            may_go_alone = group[0].job.config.sweep.unstackable == "pool"
            if isinstance(error, NotStackable) and may_go_alone:
                raise TooManyRuns(1, str(error)) from error
            for book in group:
                if book.ended is None:
                    book.fail(error)


def _program(books: Sequence[Logbook]) -> Program:
    if len(books) == 1:
        if books[0].job.config.device.kernel == "native":
            from mnist_seq.training.loop.native import program_of  # other runs do not need it

            return program_of(books[0].learner, books[0].saved_optimizer)
        return Single(books[0].learner, books[0].saved_optimizer)
    from mnist_seq.training.batched.stack import (
        Stack,  # imports torch.func, which a run alone does not need
    )

    return Stack([b.learner for b in books], [b.saved_optimizer for b in books])
