"""Word problem of a group: the product of the elements so far, at each time step.

Source: Merrill et al. 2024, arXiv:2404.08819, and their code: the words are all elements, not some
generators. S5 and A5 are not solvable, and their word problem is complete for NC1; S3 is solvable.
"""

import functools
import itertools
import re
from typing import TYPE_CHECKING

from mnist_seq.config import ConfigError
from mnist_seq.tasks import Spec
from mnist_seq.tasks.streams import Stream, of_classes

if TYPE_CHECKING:
    import numpy as np

    from mnist_seq.tasks.examples import Part

Element = tuple[int, ...]
MOST_ELEMENTS = 720  # S6


class WordProblem(Stream):
    """Words and classes are the elements of the group."""

    title = "Word problem of a group"

    @property
    def group(self) -> str:
        """The name of the group."""
        return str(self.settings.options()["group"])

    def check(self) -> None:
        """See `Task`."""
        if not re.fullmatch(FACTOR + f"(x{FACTOR})*", self.group) or size_of(self.group) < 2:
            raise ConfigError(
                f"data.group must be a group S<n>, A<n> or Z<n>, or a product as A4xZ5, of 2 to "
                f"{MOST_ELEMENTS} elements: data.group={self.group}; choose S3, A5, S5 or Z60"
            )
        super().check()

    def describe(self, length: int) -> Spec:
        """See `Stream`."""
        size = size_of(self.group)
        return Spec("token", size, "class", size, time_steps=length, per_step=True)

    def make(self, draw: "np.random.RandomState", num: int, length: int) -> "Part":
        """See `Stream`."""
        import numpy as np

        from mnist_seq.tasks.examples import Part

        table = table_of(self.group)
        x = draw.randint(len(table), size=(num, length))
        y = x.copy()
        for t in range(1, length):
            y[:, t] = table[y[:, t - 1], x[:, t]]
        return Part(x, np.ascontiguousarray(y))

    def guess_at(self, length: int) -> dict[str, float]:
        """See `Stream`."""
        return of_classes(size_of(self.group))

    def plateaus(self) -> dict[str, float]:
        """See `Task`: the first product is the first element, and no other one says anything."""
        size, length = size_of(self.group), self.settings.length
        return {"the first time step alone": (1 + (length - 1) / size) / length}


FACTOR = r"(?:[SA][1-6]|Z[1-9]\d{0,2})"


def size_of(group: str) -> int:
    """The number of elements; 0 if there are too many."""
    size = 1
    for kind, n in _factors(group):
        size *= n if kind == "Z" else len(_permutations(kind, n))
    return size if size <= MOST_ELEMENTS else 0


@functools.cache
def table_of(group: str) -> "np.ndarray":
    """The multiplication table, int64: entry [a, b] is a times b, as a number of an element."""
    import numpy as np

    table = np.zeros((1, 1), dtype=np.int64)
    for kind, n in _factors(group):
        if kind == "Z":
            factor = np.add.outer(np.arange(n), np.arange(n)) % n
        else:
            elements = _permutations(kind, n)
            number = {element: i for i, element in enumerate(elements)}
            factor = np.array(
                [[number[tuple(a[b[i]] for i in range(n))] for b in elements] for a in elements]
            )
        size = len(factor)  # the element (p, q) of a product has the number p * size + q
        table = np.kron(table, np.full_like(factor, size)) + np.tile(factor, table.shape)
    return table


def _factors(group: str) -> list[tuple[str, int]]:
    return [(factor[0], int(factor[1:])) for factor in group.split("x")]


@functools.cache
def _permutations(kind: str, n: int) -> list[Element]:
    found = itertools.permutations(range(n))
    return [each for each in found if kind == "S" or _is_even(each)]


def _is_even(permutation: Element) -> bool:
    return sum(a > b for a, b in itertools.combinations(permutation, 2)) % 2 == 0
