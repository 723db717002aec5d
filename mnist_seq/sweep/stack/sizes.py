"""Computes the number of runs in each stack, from their shapes; memory may lower it later."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from mnist_seq.runs.text import plural
from mnist_seq.sweep.pool.slots import Slots, has_gpu

# GRU-32 trains 1.6, 1.3 and 1.1 times as fast as in the pool in stacks of 16, 64 and 256 runs, and
# so with all that gains: benchmarks/RESULTS.md
BEST_ON_CPU = 16


def most_on_cpu(max_runs: int | str) -> int:
    """The largest stack on a CPU; see `most_runs`."""
    return BEST_ON_CPU if isinstance(max_runs, str) else max_runs


def most_runs(shapes: Sequence[str], slots: Slots, *, max_runs: int | str) -> dict[str, float]:
    """The largest stack of each shape.

    Args:
        shapes: of each run; "" goes alone.
        slots: number of stacks that can train at once; none should be idle.
        max_runs: limit for a stack, or "auto": the number that trains fastest.
    """
    counts = Counter(shape for shape in shapes if shape)
    most = math.inf if max_runs == "auto" and has_gpu(slots) else float(most_on_cpu(max_runs))
    fair = math.ceil(counts.total() / max(1, min(len(slots), len(shapes))))
    return dict.fromkeys(counts, min(most, max(1, fair)))


def sizes(num_runs: int, most: float) -> list[int]:
    """Sizes of as few stacks as possible, larger ones first; they differ by at most one run."""
    num_stacks = math.ceil(num_runs / most)
    small, num_large = divmod(num_runs, num_stacks)
    return [small + (i < num_large) for i in range(num_stacks)]


def in_words(shapes: Iterable[str], most: Mapping[str, float]) -> str:
    """The sizes in words: "2 stacks of 9 + 8 runs, 1 run alone"."""
    counts = Counter(shapes)
    num_alone = counts.pop("", 0)
    groups = [size for shape, n in counts.items() for size in sizes(n, most[shape])]
    stacks = [size for size in groups if size > 1]
    num_alone += len(groups) - len(stacks)
    parts = []
    if stacks:
        parts.append(f"{plural(len(stacks), 'stack')} of {' + '.join(map(str, stacks))} runs")
    if num_alone:
        parts.append(f"{plural(num_alone, 'run')} alone")
    return ", ".join(parts)
