"""Shortens names for W&B, in the same way wherever a name is sent or looked up."""

import hashlib

LONGEST = 128  # characters of a group's or run's name


def fitting(name: str) -> str:
    """The name, or its beginning and a hash if it is too long for W&B."""
    if len(name) <= LONGEST:
        return name
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:8]
    return f"{name[: LONGEST - 9]}-{digest}"
