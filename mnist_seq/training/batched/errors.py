"""Why a stack cannot go on."""


class TooManyRuns(RuntimeError):
    """A stack cannot go on as large as it is.

    Args:
        most: as many runs may go together.
    """

    def __init__(self, most: int, why: str = "") -> None:
        super().__init__(why or f"memory does not take more than {most} at once")
        self.most = most


class NotStackable(ValueError):
    """A model does what `vmap` cannot, such as a branch on a value."""
