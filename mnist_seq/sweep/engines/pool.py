"""pool: several runs at once on this machine, each in a new process."""

from mnist_seq.sweep.engines import Launcher, Number, Placement
from mnist_seq.sweep.pool.opening import Opening
from mnist_seq.sweep.pool.pool import Pool


class PoolLauncher(Launcher):
    """Runs in processes that the fork server forks."""

    slots_per_device: Number

    @property
    def placement(self) -> Placement:
        """See `Launcher`."""
        return Placement(
            workers=self.workers, grace_s=self.grace, slots_per_device=self.slots_per_device
        )

    def warm_up(self, *, threads: int, data: str) -> None:
        """Start the fork server, which imports torch meanwhile."""
        from mnist_seq.sweep.pool.fork_server import start_fork_server

        start_fork_server(threads, data=data)

    def open_pool(self, opening: Opening) -> Pool:
        """The pool itself."""
        return Pool(slots=opening.slots, policy=opening.policy, views=())
