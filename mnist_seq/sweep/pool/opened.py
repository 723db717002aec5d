"""A pool made ready for some jobs: where they run, by which rules, and who watches."""

import contextlib
from collections.abc import Iterator, Sequence

from hydra.plugins.launcher import Launcher
from rich.console import Console

from mnist_seq.config.schema import Sweep
from mnist_seq.runs.console import say
from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.sweep.engines.remote import RemotePool
from mnist_seq.sweep.pool.jobs import Policy, View
from mnist_seq.sweep.pool.pool import Pool
from mnist_seq.sweep.pool.slots import Slots
from mnist_seq.sweep.pool.views import LedgerView, LineView, LiveView
from mnist_seq.sweep.pool.worker import Task
from mnist_seq.sweep.stack.stack_pool import StackPool


@contextlib.contextmanager
def opened_pool(
    task: Task,
    launcher: Launcher,
    *,
    slots: Slots,
    options: Sweep,
    folder: SweepFolder,
    console: Console,
    num_jobs: int,
    expected_s: float,
    is_stacking: bool = False,
    views: Sequence[View] = (),
    metric: str = "test/accuracy",
) -> Iterator[Pool]:
    """The pool that a launcher asks for: its own processes, or an engine's. To be run in the block.

    Args:
        slots: environment of each slot on this machine.
        num_jobs: as many it will be given.
        expected_s: seconds that they are expected to take, NaN where nothing is known.
        is_stacking: whether jobs of equal shape are trained together.
        views: told beside the ledger and the terminal.
        metric: that the terminal shows of a finished run.
    """
    policy = Policy(
        on_failure=options.on_failure,
        retries=options.retries,
        timeout_s=options.timeout,
        stop_after_same_failures=options.stop_after_same_failures,
        grace_s=getattr(launcher, "grace", 20.0),
    )
    slots = slots[: max(1, num_jobs)]
    engine = None
    if hasattr(launcher, "open_engine"):
        engine = launcher.open_engine(slots, folder.path)
        slots = engine.slots
    watching: list[View] = [LedgerView(folder), *views]
    with contextlib.ExitStack() as stack:
        if console.is_terminal:
            live = LiveView(console, num_jobs, len(slots), expected_s, metric=metric)
            stack.enter_context(live.live)
            watching.append(live)
        else:
            watching.append(LineView(console, num_jobs, metric=metric))
        if engine is None and is_stacking:
            yield StackPool(
                task,
                slots=slots,
                policy=policy,
                views=watching,
                max_runs=getattr(launcher, "max_runs", "auto"),
                say=lambda text: say(console, text),
            )
        elif engine is None:
            yield Pool(task, slots=slots, policy=policy, views=watching)
        else:
            yield RemotePool(task, engine, policy=policy, views=watching)
