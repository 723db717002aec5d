"""Words for people."""

import re

import pytest

from mnist_seq.runs.text import duration, one_line, plural, share, some, without_secrets
from tests.conftest import ROOT


def test_a_count_agrees_with_its_noun() -> None:
    """ "1 runs" reads as a fault."""
    assert [plural(n, "run") for n in (0, 1, 2, 1000)] == [
        "0 runs",
        "1 run",
        "2 runs",
        "1,000 runs",
    ]
    assert [share(1, n, "run") for n in (1, 2)] == ["1 of 1 run", "1 of 2 runs"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (4.24, "4.2 s"),
        (59.96, "1 min"),
        (200, "3 min 20 s"),
        (720, "12 min"),
        (7500, "2 h 05 min"),
        (36000, "10 h"),
        (float("nan"), "unknown"),
    ],
)
def test_a_duration_has_one_form(seconds: float, text: str) -> None:
    """In sweeps, and in the table of published numbers."""
    assert duration(seconds) == text


def test_no_count_has_its_plural_by_hand() -> None:
    """One function for all, which knows that one run is no "1 runs"."""
    by_hand = re.compile(r"""runs?\{'s' \* |['"]run['"] if |"1 (run|trial)[ "]|\d trials done""")
    files = [path for path in (ROOT / "mnist_seq").rglob("*.py") if path.name != "text.py"]
    assert not [path for path in files if by_hand.search(path.read_text())]


def test_of_many_names_some_are_said() -> None:
    """A line with a thousand names is no line."""
    assert some(["a", "b"]) == "a, b"
    assert some(list("abcdefg")) == "a, b, c, d, e and 2 more"


def test_an_error_is_one_line_that_names_its_type() -> None:
    """A KeyError's message alone says nothing."""
    assert one_line(KeyError("a\n  b")) == "KeyError: 'a\\n b'"
    assert one_line(ValueError()) == "ValueError: no message"
    assert len(one_line(ValueError("x" * 10**5))) < 400


@pytest.mark.parametrize("name", ["WANDB_API_KEY", "AWS_SECRET", "hf_token", "DB_PASSWORD"])
def test_values_of_secret_variables_are_left_out(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Whatever message they have got into."""
    monkeypatch.setenv(name, "abcdefgh12")
    monkeypatch.setenv("HOME_KEYS", "not-secret")
    assert without_secrets("at abcdefgh12, not-secret") == "at ***, not-secret"
