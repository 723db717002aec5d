"""How numbers are written, the same on the page, in LaTeX, at the terminal and in figures.

Minus is U+2212, a difference has its sign, a thin no-break space stands before a unit, and a bound
that is not 0 is never written as 0. report.csv has all digits; nothing here is for it.
"""

import datetime
import math
from collections.abc import Iterable, Sequence

MINUS, THIN, NONE, TIMES = "\N{MINUS SIGN}", "\u202f", "\N{EN DASH}", "\N{MULTIPLICATION SIGN}"
ABOUT = "\N{ALMOST EQUAL TO}"
_MOST_DECIMALS = 6  # that a bound gets to show its side of 0
_SMALLEST_P = 0.001
_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def decimals(half_widths: Iterable[float], most: int = 2) -> int:
    """Decimals of a whole table: two significant digits of its narrowest half width.

    Args:
        half_widths: of the intervals; those that are 0 or not finite do not count.
        most: never more than these; also where no interval counts.
    """
    known = [h for h in half_widths if math.isfinite(h) and h > 0]
    if not known:
        return most
    return min(most, max(0, 1 - math.floor(math.log10(min(known)))))


def number(value: float, decimals: int = 1) -> str:
    """A number with so many decimals and commas in thousands; a dash for NaN."""
    if math.isnan(value):
        return NONE
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    text = f"{abs(value):,.{decimals}f}"
    return f"{MINUS}{text}" if value < 0 and _is_not_zero(text) else text


def signed(value: float, decimals: int = 1) -> str:
    """A difference: always with a sign, but for 0."""
    text = number(value, decimals)
    return f"+{text}" if value > 0 and _is_not_zero(text) else text


def interval(low: float, high: float, decimals: int = 1, *, is_signed: bool = False) -> str:
    """An interval as [−2.9, +7.5]; a bound near 0 has the decimals that show its side."""
    if math.isnan(low) or math.isnan(high):
        return NONE
    write = signed if is_signed else number

    def bound(value: float) -> str:
        places = decimals
        while value and places < _MOST_DECIMALS and not _is_not_zero(number(value, places)):
            places += 1
        return write(value, places)

    return f"[{bound(low)}, {bound(high)}]"


def p_value(p: float, alpha: float = 0.05) -> str:
    """A p value: three decimals below 0.1, else two; more where rounding lands on alpha."""
    if math.isnan(p):
        return NONE
    if p < _SMALLEST_P:
        return f"<{THIN}{_SMALLEST_P:g}"
    places = 3 if p < 0.1 else 2
    while float(f"{p:.{places}f}") == alpha != p and places < _MOST_DECIMALS:
        places += 1
    return f"{p:.{places}f}"


def p_equation(p: float, alpha: float = 0.05) -> str:
    """The same with its letter: "p = 0.31", "p < 0.001"."""
    text = p_value(p, alpha)
    sign = "" if text.startswith("<") else f"={THIN}"
    return f"p{THIN}{sign}{text}"


def with_unit(text: str, unit: str) -> str:
    """A number with its unit behind a space that does not break."""
    return f"{text}{THIN}{unit}" if unit and text != NONE else text


def percent(share: float) -> str:
    """A level or a share as "95 %"."""
    return with_unit(f"{100 * share:g}", "%")


def count(value: float) -> str:
    """A whole number with thousands separators; a mean is rounded."""
    return number(value, 0)


def short_count(value: float) -> str:
    """A count for the tick of an axis: 250, 12k, 1.5M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{plain(value / size)}{letter}"
    return plain(value)


def plain(value: float) -> str:
    """A value of a setting or an axis, in six digits at most: 0.01, 32, −5, 10⁻⁵."""
    if math.isnan(value):
        return NONE
    text = f"{abs(value):.6g}"
    if "e" in text and 1e-4 <= abs(value) < 1e7:
        text = f"{abs(value):f}".rstrip("0").rstrip(".")
    return f"{MINUS}{_raised(text)}" if value < 0 else _raised(text)


def power(value: float) -> str:
    """A tick of a logarithmic axis, which has little room: 0.01, 1, 10⁻⁴."""
    return _raised(f"{value:.0e}") if 0 < value < 0.01 else plain(value)


def _raised(text: str) -> str:
    """An exponent as people write it: 2e-05 as 2·10⁻⁵."""
    mantissa, letter, exponent = text.partition("e")
    if not letter:
        return text
    power = f"10{str(int(exponent)).translate(_RAISED)}"
    return power if mantissa == "1" else f"{mantissa}·{power}"


def significant(value: float, digits: int = 2) -> str:
    """A size of any magnitude with so many significant digits; without an exponent from 1e-4 on."""
    if not math.isfinite(value) or value == 0:
        return number(value, 0)
    if abs(value) < 1e-4:
        return ("" if value > 0 else MINUS) + _raised(f"{abs(value):.{digits - 1}e}")
    places = digits - 1 - math.floor(math.log10(abs(value)))
    return number(round(value, places), max(0, places))


def seconds(value: float) -> str:
    """A duration for people: 0.8 s, 12 s, 3 min 20 s, 2 h 5 min."""
    if not math.isfinite(value):
        return number(value)
    if value < 60:
        return with_unit(significant(value) if value < 10 else number(value, 0), "s")
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes}{THIN}min {rest}{THIN}s" if rest else f"{minutes}{THIN}min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,}{THIN}h {minutes}{THIN}min" if minutes else f"{hours:,}{THIN}h"


def date(iso: str) -> str:
    """The day of an ISO time as people write it: "28 Nov 2026"; the text where it is none."""
    try:
        day = datetime.date.fromisoformat(iso[:10])
    except ValueError:
        return iso
    return f"{day.day} {day:%b %Y}"


def joined(texts: Sequence[str], last: str = "and") -> str:
    """Texts as a list in a sentence: "a, b and c"."""
    if len(texts) < 2:
        return "".join(texts)
    return f"{', '.join(texts[:-1])} {last} {texts[-1]}"


def ranges(numbers: Sequence[int]) -> str:
    """Whole numbers, those in a row as a range: "0 to 5, 8"."""
    found: list[list[int]] = []
    for n in sorted(set(numbers)):
        if found and n == found[-1][-1] + 1:
            found[-1].append(n)
        else:
            found.append([n])
    return ", ".join(
        f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in found
    )


def _is_not_zero(text: str) -> bool:
    return any(c in "123456789" for c in text)
