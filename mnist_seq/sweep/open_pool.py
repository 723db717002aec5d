"""Opens the pool of a launcher, with the ledger and the terminal as views."""

import contextlib
from collections.abc import Iterator

from mnist_seq.config.schema import Sweep
from mnist_seq.runs.console import say
from mnist_seq.sweep.engines import Launcher, Placement
from mnist_seq.sweep.pool.jobs import Policy, View
from mnist_seq.sweep.pool.opening import Opening
from mnist_seq.sweep.pool.pool import Pool
from mnist_seq.sweep.pool.views import LedgerView, LineView, LiveView
from mnist_seq.tracking.sweep_view import mirror_sweep


@contextlib.contextmanager
def open_pool(launcher: Launcher, opening: Opening) -> Iterator[Pool]:
    """The pool of the launcher, to be run in the block; trackers of whole sweeps are views too."""
    console, num_jobs, metric = opening.console, opening.num_jobs, opening.metric
    with contextlib.ExitStack() as stack:
        tracked = mirror_sweep(
            opening.configs, opening.folder.path, tell=lambda _, text: say(console, text)
        )
        tracking = stack.enter_context(tracked)
        pool = launcher.open_pool(opening)
        views: list[View] = [LedgerView(opening.folder), *tracking]
        if console.is_terminal:
            live = LiveView(console, num_jobs, len(pool.slots), opening.expected_s, metric=metric)
            stack.enter_context(live.live)
            views.append(live)
        else:
            views.append(LineView(console, num_jobs, metric=metric))
        pool.views = [*views, *opening.views]  # which may say more of a run than its line
        yield pool


def policy_of(options: Sweep, placement: Placement) -> Policy:
    """The pool's policy for failures, from the group `sweep`."""
    return Policy(
        on_failure=options.on_failure,
        retries=options.retries,
        timeout_s=options.timeout,
        stop_after_same_failures=options.stop_after_same_failures,
        grace_s=placement.grace_s,
        resubmits=placement.resubmits,
    )
