"""The native step of the tests: compiled once for all of them, in one folder of the user's."""

import pytest

from mnist_seq.native import Library, library


@pytest.fixture(scope="session")
def native_library() -> Library:
    """For this machine, as a run takes it."""
    return library()
