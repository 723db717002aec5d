"""The error of a comparison that is impossible."""


class CannotCompare(ValueError):
    """Runs that cannot be compared as asked: the rule, the value and the way out, in one line."""
