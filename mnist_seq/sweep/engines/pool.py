"""pool: several runs at once on this machine, each in a new process."""

from mnist_seq.sweep.engines import Launcher, Number, Placement
from mnist_seq.sweep.pool import starts
from mnist_seq.sweep.pool.opening import Opening
from mnist_seq.sweep.pool.pool import Pool


class PoolLauncher(Launcher):
    """Runs in processes of their own: see `starts`."""

    slots_per_device: Number

    @property
    def placement(self) -> Placement:
        """See `Launcher`."""
        return Placement(
            workers=self.workers, grace_s=self.grace, slots_per_device=self.slots_per_device
        )

    def warm_up(self, *, threads: int, data: str) -> None:
        """Start the fork server, which imports torch meanwhile."""
        starts.warm_up(threads, data=data)

    def open_pool(self, opening: Opening) -> Pool:
        """The pool itself."""
        return Pool(slots=opening.slots, policy=opening.policy, views=())
