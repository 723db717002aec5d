"""Reads the keys of `conf/compare.yaml`: types, and words to choose from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mnist_seq.config.errors import ConfigError
from mnist_seq.config.paths import conf_dir

if TYPE_CHECKING:
    from mnist_seq.report.options import Options
    from mnist_seq.report.paper.table import Spread

_CHOICES = {
    "test": ("t", "permutation"),
    "correction": ("holm", "bh", "none"),
    "duplicates": ("refuse", "first"),
    "source": ("folders", "wandb"),
    "importance": ("auto", "all", "none"),
    "pairs": ("baseline", "all"),
}
FORMATS = ("html", "markdown", "csv", "latex", "figures", "json")
SPREADS = ("sd", "interval", "none")
# Keys of which the numbers of a report depend
_OF_NUMBERS = ("where", "baseline", "metric", "select", "over", "pairs", "allow_incomplete",
               "level", "alpha", "margin", "test", "correction")  # fmt: skip


def read_options(values: Mapping[str, Any]) -> "Options":
    """Check the keys of `conf/compare.yaml` that say how to compare.

    Raises:
        ConfigError: a value of a wrong type, or an unknown choice.
    """
    from mnist_seq.report.options import Options

    for key in ("baseline", "where", "metric"):
        text(values, key)
    for key, choices in _CHOICES.items():
        if values[key] not in choices:
            raise ConfigError(f"{key} must be one of {', '.join(choices)}: {key}={values[key]}")
    thresholds = values["thresholds"]
    if not isinstance(thresholds, list) or not all(_is_number(t) and 0 < t < 1 for t in thresholds):
        raise ConfigError(
            f"thresholds must be a list of accuracies as fractions: thresholds={thresholds}; write "
            "thresholds=[0.97,0.98]"
        )
    margin = values["margin"]
    if margin not in ("auto", "none") and not _is_number(margin):
        raise ConfigError(
            f"margin must be auto, none or a number: margin={margin}; write margin=0.1"
        )
    for key in ("level", "alpha"):
        if not _is_number(values[key]):
            raise ConfigError(f"{key} must be a number: {key}={values[key]}; write {key}=0.05, say")
    return Options(
        baseline=str(values["baseline"]),
        where=str(values["where"]),
        metric=str(values["metric"]),
        level=float(values["level"]),
        alpha=float(values["alpha"]),
        margin="auto" if margin == "auto" else None if margin == "none" else float(margin),
        **{key: values[key] for key in _CHOICES if key != "source"},
        wilcoxon=flag(values, "wilcoxon"),
        thresholds=tuple(float(t) for t in thresholds),
        select=str(values["select"]),
        over=_over(values["over"]),
        allow_incomplete=flag(values, "allow_incomplete"),
    )


def _over(over: object) -> tuple[str, ...]:
    given = over if isinstance(over, list) else [] if over == "none" else [over]
    if not all(isinstance(key, str) and key for key in given):
        raise ConfigError(f"over must be a key or a list of them: over={over}; write "
                          "over=[optimizer.lr,optimizer.weight_decay]")  # fmt: skip
    return tuple(str(key) for key in given)


def read_formats(formats: object) -> Sequence[str]:
    """The renderings that are asked for.

    Raises:
        ConfigError: not a list, or a rendering that there is not.
    """
    if not isinstance(formats, list) or not formats or any(f not in FORMATS for f in formats):
        raise ConfigError(f"formats must be a list of {', '.join(FORMATS)}: formats={formats}; "
                          "write formats=[html,csv]")  # fmt: skip
    return formats


def read_spread(spread: object) -> "Spread":
    """What stands behind each mean in report.tex.

    Raises:
        ConfigError: none of the words.
    """
    if spread not in SPREADS:
        raise ConfigError(f"spread must be one of {', '.join(SPREADS)}: spread={spread}")
    return cast("Spread", spread)


def name_of(title: str, values: Mapping[str, Any]) -> str:
    """The name of a report in its marks: of its sweep, and of what is asked beyond the defaults.

    Other values of these keys have other numbers, so a paper may quote both.
    """
    from mnist_seq.report.paper.numbers import slug

    return "-".join(map(slug, [title, *_asked_for(values)]))


def command_of(sources: Sequence[Path], values: Mapping[str, Any]) -> str:
    """The command that compares as this one did, for readers on other machines."""
    from mnist_seq.runs.text import shell_word

    here = Path.cwd()
    places = [
        str(s if not s.is_absolute() else s.relative_to(here) if s.is_relative_to(here) else s.name)
        for s in sources
    ]
    sweep = places[0] if len(places) == 1 else f"[{','.join(places)}]"
    words = [f"sweep={sweep}", *_asked_for(values), "formats=[latex]"]
    return " ".join(["python -m mnist_seq.compare", *map(shell_word, words)])


def _asked_for(values: Mapping[str, Any]) -> list[str]:
    """The keys that change numbers and do not have their default, as words of a command."""
    from omegaconf import OmegaConf

    defaults = OmegaConf.to_container(OmegaConf.load(conf_dir() / "compare.yaml"))
    assert isinstance(defaults, dict)
    return [
        f"{key}={_word(values[key])}"
        for key in _OF_NUMBERS
        if values.get(key, default := defaults[key]) != default
    ]


def _word(value: object) -> str:
    return f"[{','.join(map(str, value))}]" if isinstance(value, list) else str(value)


def flag(values: Mapping[str, Any], key: str) -> bool:
    """A key that is true or false.

    Raises:
        ConfigError: it is something else.
    """
    if not isinstance(values[key], bool):
        raise ConfigError(f"{key} must be true or false: {key}={values[key]}")
    return bool(values[key])


def text(values: Mapping[str, Any], key: str) -> str:
    """A key that is a text.

    Raises:
        ConfigError: it is something else, or empty.
    """
    if not isinstance(values[key], str) or not values[key]:
        raise ConfigError(f"{key} must be text, not empty: {key}={values[key]}")
    return str(values[key])


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
