"""One line for an error: the rule, the value, the way out."""

import errno
import os

import pytest

from mnist_seq.config.errors import refuse, said


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.EACCES, "a/b cannot be read or written: Permission denied; change its rights, or"),
        (
            errno.EROFS,
            "a/b cannot be read or written: Read-only file system; choose another",
        ),
        (errno.ENOSPC, "a/b cannot be read or written: No space left on device; free some space"),
        (errno.ENOTDIR, "a/b cannot be read or written: Not a directory; a file is where a folder"),
        (errno.ENAMETOOLONG, "a/b cannot be read or written: File name too long; choose a shorter"),
        (errno.EISDIR, "a/b: Is a directory"),
    ],
)
def test_an_error_of_the_operating_system_is_words_and_no_number(number: int, says: str) -> None:
    assert said(OSError(number, os.strerror(number), "a/b")).startswith(says)
    assert "Errno" not in said(OSError(number, os.strerror(number)))


def test_other_errors_are_said_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(ValueError("no")) == said(OSError("no")) == "no"
    with pytest.raises(SystemExit):
        refuse("a\x1b[2J\nb")
    assert capsys.readouterr().err == "mnist_seq: a\\x1b[2J; b\n"
