"""Names as W&B takes them: what it is told and what it is asked for must be one name."""

import hashlib

LONGEST = 128  # characters of a group's or run's name


def fitting(name: str) -> str:
    """A name that W&B takes; of a longer one its beginning, and a hash that keeps it apart."""
    if len(name) <= LONGEST:
        return name
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:8]
    return f"{name[: LONGEST - 9]}-{digest}"
