"""What the tests of the stats room share."""

import jaxtyping
import pytest


@pytest.fixture
def unchecked_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns shape checks off: a simulation makes thousands of calls, and each check costs 50 us."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
