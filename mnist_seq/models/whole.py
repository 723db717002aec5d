"""Layers that read a whole sequence at once, such as attention: they have no step and no state."""

from torch import Tensor

from mnist_seq.models.cells import Cell, Shape, State
from mnist_seq.models.counting import Counts, multiply_adds


class WholeSequence(Cell):
    """A layer without a step and without a state; a subclass writes `scan` and `cache_size`.

    The output at time step t depends on the inputs up to t alone, as for every cell.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__(0, hidden, blocks_x=0, blocks_h=0)

    def initial(self, x: Tensor) -> State:
        """No state."""
        return ()

    def output(self, x: Tensor, state: State) -> Tensor:
        """There is none at one time step."""
        raise NotImplementedError

    def scan(self, x: Tensor, state: State, noises: State = ()) -> tuple[Tensor, State]:
        """Outputs [T, B, H] of the whole sequence, and ().

        Args:
            x: `project`'s result.
            state: ().
            noises: what `noises` returned; empty for their expectations.
        """
        raise NotImplementedError

    def cache_size(self, time_steps: int) -> int:
        """Numbers that would be kept between time steps, were they to come one by one."""
        raise NotImplementedError

    def counts_over(self, shape: Shape) -> Counts:
        """Numbers kept between time steps, and products of a time step in the mean.

        Args:
            shape: of what the layer reads.
        """
        x = next(self.parameters()).new_zeros(shape.time_steps, 1, shape.input_size)
        products = multiply_adds(lambda x: self.forward(x)[0], x)
        return Counts(self.cache_size(shape.time_steps), products // shape.time_steps)
