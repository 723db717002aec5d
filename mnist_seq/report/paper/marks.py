"""Marks in a paper: which numbers of which runs stand there, for `paper.check`.

A mark is a comment behind the numbers, and names them; their values are in the text alone:

    GRU & 88.0 & $+$2.3 \\\\ % mnist_seq cells/gru: mean difference
"""

import re
from collections.abc import Sequence

MARK = re.compile(
    r"(?<!\\)%+[ \t]*mnist_seq[ \t]+([a-z0-9.+-]+)/([a-z0-9.-]+):((?:[ \t]+[a-z0-9_]+)+)[ \t]*$"
)
VALUE = re.compile(r"\\seqvalue\s*\{([^{}]*)\}\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
USE = re.compile(r"\\seq\s*\{([^{}]*)\}")
INPUT = re.compile(r"\\(?:input|include|subfile)\s*\{([^{}]*)\}")


def mark(report: str, variant: str, names: Sequence[str]) -> str:
    """The comment that says which numbers stand before it; "" where there are none.

    Args:
        report: its name; variant: a variant's, or "all".
        names: of the numbers, in their order.
    """
    return f"% mnist_seq {report}/{variant}: {' '.join(names)}" if names else ""
