"""How many runs trained at once, as run.json says it."""

import pytest

from mnist_seq.runs.provenance import AT_ONCE, beside
from mnist_seq.sweep.pool.jobs import Policy
from mnist_seq.sweep.pool.pool import Pool


@pytest.mark.parametrize(("told", "at_once"), [("4", 4), ("unknown", None), (None, 1)])
def test_a_job_knows_how_many_train_at_once(
    monkeypatch: pytest.MonkeyPatch, told: str | None, at_once: int | None
) -> None:
    """A run alone is one; where jobs are spread over machines nobody knows."""
    monkeypatch.delenv(AT_ONCE, raising=False)
    if told is not None:
        monkeypatch.setenv(AT_ONCE, told)
    found = beside()
    assert found["at_once"] == at_once
    assert found["load"] is None or found["load"] >= 0


def test_a_pool_tells_its_jobs() -> None:
    pool = Pool(slots=[{"A": "x"}, {}], policy=Policy(), views=())
    assert pool.slots == [{"A": "x", AT_ONCE: "2"}, {AT_ONCE: "2"}]
