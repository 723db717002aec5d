"""Errors of a stack."""


class TooManyRuns(RuntimeError):
    """The memory does not hold this number of runs.

    Args:
        most: largest number of runs that fit together.
    """

    def __init__(self, most: int, why: str = "") -> None:
        super().__init__(why or f"memory does not take more than {most} at once")
        self.most = most


class NotStackable(ValueError):
    """The model does something that `vmap` cannot, such as a branch on a value."""
