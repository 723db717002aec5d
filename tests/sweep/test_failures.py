"""What is said of a process that left no word."""

import signal

import pytest

from mnist_seq.sweep.pool.failures import cause_of_death


@pytest.mark.parametrize(
    ("exit_code", "says"),
    [
        (-signal.SIGKILL, "ended by SIGKILL (the system's answer to a lack of memory"),
        (-signal.SIGSEGV, "ended by SIGSEGV"),
        (-(signal.SIGRTMIN + 3), f"ended by signal {signal.SIGRTMIN + 3}"),
        (3, "ended with exit code 3 and without a result"),
        (None, "did not end"),
    ],
)
def test_every_way_to_die_has_its_words(exit_code: int | None, says: str) -> None:
    """Also a real-time signal, which has no name: an error here would end the sweep."""
    assert says in cause_of_death(exit_code)
