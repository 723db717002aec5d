"""Modular arithmetic: the value of a sum of products, such as 2 + 3 * 4 - 1, modulo 5.

Source: Deletang et al. 2023, arXiv:2207.02098. Differs: the answer is read at the last digit, not
at a time step of its own behind it.
"""

from typing import TYPE_CHECKING

from mnist_seq.config.schema.data import ModularArithmetic as ModularArithmeticSettings
from mnist_seq.tasks import Spec
from mnist_seq.tasks.streams import Stream, most_frequent

if TYPE_CHECKING:
    import numpy as np

    from mnist_seq.tasks.examples import Part

PLUS, MINUS, TIMES = range(3)  # words behind the digits


class ModularArithmetic(Stream):
    """Digits and operators take turns; products come before sums."""

    title = "Modular arithmetic"
    settings: ModularArithmeticSettings

    def describe(self, length: int) -> Spec:
        """See `Stream`."""
        modulus = self.settings.modulus
        return Spec("token", modulus + 3, "class", modulus, time_steps=length)

    def rule(self, length: int) -> str:
        """See `Stream`."""
        return "" if length % 2 else "odd"

    def make(self, draw: "np.random.RandomState", num: int, length: int) -> "Part":
        """See `Stream`."""
        import numpy as np

        from mnist_seq.tasks.examples import Part

        modulus, x = self.settings.modulus, np.zeros((num, length), dtype=np.int64)
        digits = draw.randint(modulus, size=(num, length // 2 + 1))
        operators = draw.randint(3, size=(num, length // 2))
        x[:, ::2], x[:, 1::2] = digits, modulus + operators
        total, product = np.zeros(num, dtype=np.int64), digits[:, 0]
        for operator, digit in zip(operators.T, digits[:, 1:].T, strict=True):
            is_times = operator == TIMES
            total = np.where(is_times, total, total + product)
            signed = np.where(operator == MINUS, -digit, digit)
            product = np.where(is_times, product * digit % modulus, signed)
        return Part(x, (total + product) % modulus)

    def guess_at(self, length: int) -> dict[str, float]:
        """See `Stream`: by the distribution of the value, in which 0 is the most frequent one."""
        return most_frequent(self._shares(length))

    def _shares(self, length: int) -> list[float]:
        """The probability of each value, by those of (sum so far, product so far)."""
        modulus = self.settings.modulus
        values = range(modulus)
        now = {(0, value): 1 / modulus for value in values}
        for _ in range(length // 2):
            then = dict.fromkeys(((a, b) for a in values for b in values), 0.0)
            for (total, product), share in now.items():
                for digit in values:  # a difference of uniform digits is a sum of such
                    then[(total + product) % modulus, digit] += share * 2 / 3 / modulus
                    then[total, product * digit % modulus] += share / 3 / modulus
            now = then
        found = [0.0] * modulus
        for (total, product), share in now.items():
            found[(total + product) % modulus] += share
        return found
