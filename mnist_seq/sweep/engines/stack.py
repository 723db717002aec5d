"""stack: many runs as one batched program, several such programs at once."""

from typing import Literal

from mnist_seq.runs.console import say
from mnist_seq.sweep.engines import AutoNumber, Placement
from mnist_seq.sweep.engines.pool import PoolLauncher
from mnist_seq.sweep.pool.opening import Opening
from mnist_seq.sweep.pool.pool import Pool
from mnist_seq.sweep.stack.pool import StackPool


class StackLauncher(PoolLauncher):
    """Trains runs of equal shape as stacks on the devices of `stacks_on`; elsewhere as the pool."""

    stacks_on: Literal["anything", "cuda"]
    max_runs: AutoNumber

    @property
    def placement(self) -> Placement:
        """See `Launcher`."""
        return Placement(
            workers=self.workers,
            grace_s=self.grace,
            slots_per_device=self.slots_per_device,
            stacks_on=self.stacks_on,
            max_runs=self.max_runs,
        )

    def open_pool(self, opening: Opening) -> Pool:
        """A pool of stacks, or the pool of single runs."""
        if not opening.is_stacking:
            return super().open_pool(opening)
        return StackPool(
            slots=opening.slots,
            policy=opening.policy,
            views=(),
            max_runs=self.max_runs,
            say=lambda text: say(opening.console, text),
        )
