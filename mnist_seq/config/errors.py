"""The error that a config can cause, apart from `parse` so that its readers need no pydantic."""


class ConfigError(ValueError):
    """A config that cannot be run: the rule, the value and the way out, in one line."""
