"""Writes durations for people."""

import math


def duration(seconds: float) -> str:
    """A duration in words: "4.2 s", "3 min 20 s", "2 h 05 min"; "unknown" for NaN."""
    if math.isnan(seconds):
        return "unknown"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
