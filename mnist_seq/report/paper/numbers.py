"""Every number of a report by its name, `gru-hidden-32/difference`, and numbers.tex, their macros.

The names after the slash are those of report.csv; `all/` has what holds for the whole comparison.
"""

import math
import re
from collections.abc import Mapping

from mnist_seq.report.columns import columns
from mnist_seq.report.paper.setup import Setup
from mnist_seq.report.texts import fmt, words
from mnist_seq.report.value import Report

Number = int | float | str

ALL = "all"  # in the place of a variant
_OF_VARIANT = ("n", "planned", "pairs", "mean", "sd", "low", "high", "median", "difference",
               "difference_low", "difference_high", "p", "p_adjusted", "effect_size", "p_better",
               "detectable_corrected", "needed_seeds", "num_params", "seconds",
               "updates")  # fmt: skip
_OF_SETUP = ("num_train", "num_valid", "num_test", "epochs", "updates", "batch_size", "lr")

MACROS = r"""\makeatletter
\providecommand{\seqvalue}[2]{\@namedef{seq@#1}{#2}}
\providecommand{\seq}[1]{\@ifundefined{seq@#1}{\textbf{??}%
  \@latex@warning{No number is called `#1'}}{\@nameuse{seq@#1}}}
\makeatother"""


def slug(text: str) -> str:
    """A text as a part of a name, in letters that no package of LaTeX gives another meaning."""
    plain = "".join(c if c.isascii() else "-" for c in text.lower())
    return re.sub(r"[^a-z0-9.]+", "-", plain).strip("-.") or "x"


def slugs(report: Report) -> dict[int, str]:
    """The name of each variant by its key; each has its own."""
    found: dict[int, str] = {}
    for v in report.variants:
        name, times = slug(v.name), 1
        while name in (*found.values(), ALL):
            times += 1
            name = f"{slug(v.name)}-{times}"
        found[v.key] = name
    return found


def numbers(report: Report, setup: Setup | None) -> dict[str, Number]:
    """All numbers and verdicts by their names, with all digits; without those that do not exist."""
    by_name = {column.name: column for column in columns(report)}
    found: dict[str, Number] = {}
    for v in report.variants:
        own = slugs(report)[v.key]
        for name in _OF_VARIANT:
            value = by_name[name].get(v)
            if isinstance(value, int | float) and not math.isnan(value):
                found[f"{own}/{name}"] = value
        found[f"{own}/verdict"] = words.verdict(v)
    return found | {f"{ALL}/{name}": value for name, value in _of_all(report, setup).items()}


def _of_all(report: Report, setup: Setup | None) -> dict[str, Number]:
    n = sorted({x.n for v in report.variants if v.compared and (x := v.compared.comparison)})
    found: dict[str, Number] = {
        "level": 100 * report.level,
        "alpha": report.rule.alpha,
        "num_comparisons": report.num_comparisons,
        "num_variants": len(report.variants),
        "num_runs": sum(v.planned for v in report.variants),
        "num_finished": sum(v.n for v in report.variants),
    }
    for name, of in (("n", n), ("n_all", sorted({v.n for v in report.variants}))):
        if len(of) == 1:
            found[name] = of[0]
        elif of:
            found |= {f"{name}_min": of[0], f"{name}_max": of[-1]}
    found |= {"margin": report.rule.margin} if report.rule.margin is not None else {}
    if setup is None:
        return found
    found["num_seeds"] = len(setup.seeds)
    for name in _OF_SETUP:
        values = [v for v in setup.all_of(name) if isinstance(v, int | float)]
        if len(values) == 1:
            found[name] = values[0]
        elif values:
            found |= {f"{name}_min": values[0], f"{name}_max": values[-1]}
    return found


def written(report: Report, name: str, value: Number) -> str:
    """A number as the report writes it.

    Args:
        name: without the variant, such as "difference".
    """
    d = words.decimals_of(report)
    if isinstance(value, str):
        return value
    if name in ("p", "p_adjusted"):
        return fmt.p_value(value, report.rule.alpha)
    if name in ("difference", "difference_low", "difference_high"):
        return _bound(value, d, is_signed=True)
    if name in ("low", "high"):
        return _bound(value, d, is_signed=False)
    if name in ("mean", "sd", "median", "detectable_corrected"):
        return fmt.number(value, d)
    if name in ("effect_size", "p_better"):
        return fmt.number(value, 2)
    if name == "seconds":
        return fmt.number(value, 1)
    is_whole = float(value).is_integer() and abs(value) < 1e15
    return fmt.count(value) if is_whole else fmt.plain(value)


def tex(text: str) -> str:
    """A number in LaTeX; brackets and signs are no text of others."""
    for old, new in (("\N{MINUS SIGN}", "$-$"), ("+", "$+$"), ("<\u202f", "$<$"),
                     ("\u202f", "\\,"), ("\N{EN DASH}", "--"), ("\N{INFINITY}", "$\\infty$"),
                     ("\N{PLUS-MINUS SIGN}", "$\\pm$")):  # fmt: skip
        text = text.replace(old, new)
    return text


def _bound(value: float, decimals: int, *, is_signed: bool) -> str:
    """One end of an interval as `fmt.interval` writes it: not as 0 unless it is 0."""
    text = fmt.interval(value, value, decimals, is_signed=is_signed)
    return text[1:-1].partition(", ")[0]


def render(report: Report, setup: Setup | None, name: str) -> str:
    """numbers.tex: a macro for every number, for the text of a paper.

    Args:
        name: of the report, the first part of each macro's name.
    """
    found = numbers(report, setup)
    lines = []
    for key, value in found.items():
        shown = tex(written(report, key.rpartition("/")[2], value))
        lines.append(f"\\seqvalue{{{name}/{key}}}{{{shown}}}")
    first = next((key for key in found if key.endswith("/difference")), next(iter(found)))
    about = (
        f"% The numbers of {name}, written by mnist_seq.compare.\n"
        "% In the preamble: \\input{numbers}\n"
        f"% In the text: \\seq{{{name}/{first}}}, which follows the runs when this file is written "
        "anew.\n"
        "% The names are those of report.csv; all/ has what holds for the whole comparison."
    )
    return "\n".join([about, MACROS, *lines, ""])


def at(found: Mapping[str, Number], variant: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of some names that exist; a number with several values has the names of both ends."""
    every = [n for name in names for n in (name, f"{name}_min", f"{name}_max")]
    return tuple(name for name in every if f"{variant}/{name}" in found)
