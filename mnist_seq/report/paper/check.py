"""Finds the numbers of a paper that no longer are those of the runs.

A number of a paper belongs to a run where the paper says so, in one of three ways:

1. A mark behind it, as in the tables and paragraphs of report.tex (`paper.marks`):
   `GRU & 88.0 & $+$2.3 \\\\ % mnist_seq cells/gru: mean difference`
2. A macro of numbers.tex: `\\seqvalue{cells/gru/difference}{$+$2.3}`.
3. The use of such a macro: `\\seq{cells/gru/difference}`, whose name must exist.

Files that the paper reads with \\input, \\include or \\subfile are read too.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mnist_seq.config.errors import ConfigError
from mnist_seq.report.paper.marks import INPUT, MARK, USE, VALUE
from mnist_seq.report.paper.numbers import Number
from mnist_seq.runs.text import plural

_COMMENT = re.compile(r"(?<!\\)%.*")
_NUMBER = re.compile(r"[<>]?[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:[eE][+-]?\d+)?")
_NO_TEXT = re.compile(
    r"\\(?:ref|label|cite\w*|includegraphics|input|seq|seqvalue)\s*(?:\[[^]]*\])?\{[^}]*\}"
)
_MOST_FILES = 1000
_MOST_BYTES = 8 * 2**20


@dataclass(frozen=True)
class Fault:
    """A place of a paper that does not say what the runs say."""

    file: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


@dataclass
class Checked:
    """What was found in a paper.

    Attributes:
        num: numbers of this report in it; `others`: of other reports, by their names.
        missing: files that it reads and that are not there.
    """

    faults: list[Fault] = field(default_factory=list)
    num: int = 0
    others: dict[str, int] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def check(paper: Path, name: str, found: Mapping[str, Number]) -> Checked:
    """Compare the numbers of a paper with those of a report.

    Args:
        name: of the report; numbers of other reports are counted, not compared.
        found: its numbers by their names.

    Raises:
        OSError, ValueError: the paper cannot be read.
    """
    checked = Checked()
    for file in _files(paper, checked):
        _check_file(file, name, found, checked)
    return checked


def summary(checked: Checked, paper: Path, name: str) -> list[str]:
    """What the check has found, one line each.

    Raises:
        ConfigError: the paper has no marked number of this report.
    """
    others = [f"{plural(num, 'number')} of {other}" for other, num in checked.others.items()]
    if not checked.num:
        rule = f"check compares numbers that are marked as those of {name}, and {paper} has none"
        has = f" ({', '.join(others)})" if others else ""
        raise ConfigError(f"{rule}{has}; take the table of report.tex (formats=[latex]), whose "
                          "comments are the marks")  # fmt: skip
    lines = [str(fault) for fault in checked.faults]
    lines += [f"not read, since it is not there: {given}" for given in checked.missing]
    lines += [f"not compared: {text}" for text in others]
    num = len(checked.faults)
    end = "all are those of the runs" if not num else f"{num} {'is' if num == 1 else 'are'} not"
    return [*lines, f"{paper}: {plural(checked.num, 'number')} of {name}, {end}"]


def _files(paper: Path, checked: Checked) -> Iterator[Path]:
    """The paper and the files that it reads, each once. TeX looks beside the first one."""
    waiting, seen = [paper], {paper.resolve()}
    while waiting:
        file = waiting.pop(0)
        yield file
        for line in _lines(file):
            for given in INPUT.findall(_COMMENT.sub("", line)):
                other = paper.parent / (given if Path(given).suffix else f"{given}.tex")
                if not other.is_file():
                    checked.missing.append(given)
                elif other.resolve() not in seen and len(seen) < _MOST_FILES:
                    seen.add(other.resolve())
                    waiting.append(other)


def _lines(file: Path) -> list[str]:
    if file.stat().st_size > _MOST_BYTES:
        raise ValueError(f"a paper's file has at most {_MOST_BYTES // 2**20} MiB: {file}")
    return file.read_text(encoding="utf-8", errors="replace").splitlines()


def _check_file(file: Path, name: str, found: Mapping[str, Number], checked: Checked) -> None:
    before: list[str] = []  # the lines since the last mark, or the start of the paragraph
    for at, line in enumerate(_lines(file), start=1):
        mark, text = MARK.search(line), _COMMENT.sub("", line)
        for key, value in VALUE.findall(text):
            _check_key(Fault(file, at, ""), key, value, name, found, checked)
        for key in USE.findall(text):
            _check_key(Fault(file, at, ""), key, None, name, found, checked)
        before = [*before, text] if line.strip() else []
        if mark is None:
            continue
        said = [text] if _is_row(text) else before
        if not "".join(said).strip():
            checked.faults.append(Fault(file, at, "a mark stands behind its numbers, and nothing "
                                        "stands before this one"))  # fmt: skip
        elif mark[1] != name:
            checked.others[mark[1]] = checked.others.get(mark[1], 0) + len(mark[3].split())
        else:
            checked.num += len(mark[3].split())
            for wrong in _wrong(said, mark[2], mark[3].split(), found):
                checked.faults.append(Fault(file, at, wrong))
        before = []


def _check_key(
    place: Fault,
    key: str,
    value: str | None,
    name: str,
    found: Mapping[str, Number],
    checked: Checked,
) -> None:
    """A macro's definition, or its use where `value` is None."""
    report, _, rest = key.partition("/")
    if report != name:
        checked.others[report] = checked.others.get(report, 0) + 1
        return
    checked.num += 1
    if rest not in found:
        text = f"{key}: the runs have no number of this name"
    elif value is None or _is_said([value], found[rest], is_signed=True):
        return
    else:
        text = f"{key}: the paper says {_plain(value).strip()}, the runs say {_shown(found[rest])}"
    checked.faults.append(Fault(place.file, place.line, text))


def _is_row(text: str) -> bool:
    """Whether a line is a row of a table."""
    return bool(re.search(r"(?<!\\)&", text)) and text.rstrip().endswith("\\\\")


def _wrong(
    said: Sequence[str], variant: str, names: Sequence[str], found: Mapping[str, Number]
) -> Iterator[str]:
    """What a marked text says that the runs do not."""
    if not any(key.startswith(f"{variant}/") for key in found):
        yield f"{variant}: the runs have no variant of this name"
        return
    unknown = [n for n in names if f"{variant}/{n}" not in found]
    for n in unknown:
        ends = [found.get(f"{variant}/{n}_{end}") for end in ("min", "max")]
        has = "no such number" if None in ends else " to ".join(_shown(e) for e in ends if e)
        yield f"{variant}, {n}: the runs have {has}"
    values = {n: found[f"{variant}/{n}"] for n in names if n not in unknown}
    is_row = len(said) == 1 and _is_row(said[0])
    first, _, rest = said[0].partition("&")
    text = rest if is_row else " ".join(said)
    yield from _wrong_words(text, variant, values)
    numbers = _numbers(text)
    asked = {n: float(v) for n, v in values.items() if not isinstance(v, str)}
    if is_row:
        yield from _wrong_cells(numbers, variant, asked)
        yield from _wrong_n(first, variant, found)
        return
    for n, value in asked.items():
        if not any(_matches(number, value, is_signed=False) for number in numbers):
            yield f"{variant}, {n}: the runs say {_shown(value)}, and the text does not"


def _wrong_words(text: str, variant: str, values: Mapping[str, Number]) -> Iterator[str]:
    for n, value in values.items():
        if isinstance(value, str) and not re.search(rf"\b{re.escape(value)}\b", text):
            yield f"{variant}, {n}: the runs say {value}, and the paper does not"


def _wrong_cells(numbers: Sequence[str], variant: str, asked: Mapping[str, float]) -> Iterator[str]:
    """Numbers of a row that are none of its mark; columns may have been moved or left out."""
    left = dict(asked)
    if len(numbers) == len(left) and all(map(_is_near, numbers, left.values())):
        return
    odd = []
    for number in numbers:
        name = next((n for n, v in left.items() if _matches(number, v, is_signed=True)), None)
        if name is None:
            odd.append(number)
        else:
            del left[name]
    in_place = dict(zip(numbers, asked, strict=True)) if len(numbers) == len(asked) else {}
    for number in odd:
        name = in_place.get(number) or next(iter(left), "")
        if name:
            left.pop(name, None)
            yield f"{variant}, {name}: the paper says {number}, the runs say {_shown(asked[name])}"
        else:
            yield f"{variant}: the paper says {number}, which is no number of this mark"


def _wrong_n(cell: str, variant: str, found: Mapping[str, Number]) -> Iterator[str]:
    """A number of seeds in the first cell, as in `GRU ($n=3$)`."""
    said = re.search(r"\(\s*n\s*=\s*(\d+)\s*\)", _plain(cell))
    n = found.get(f"{variant}/n")
    pairs = found.get(f"{variant}/pairs", n)
    if said and n is not None and int(said[1]) not in (n, pairs):
        yield f"{variant}, n: the paper says {said[1]}, the runs say {_shown(n)}"


def _is_near(number: str, value: float) -> bool:
    return _matches(number, value, is_signed=True)


def _is_said(said: Sequence[str], value: Number, *, is_signed: bool) -> bool:
    text = " ".join(said)
    if isinstance(value, str):
        return _plain(text).strip() == value
    return any(_matches(n, float(value), is_signed=is_signed) for n in _numbers(text))


def _matches(number: str, value: float, *, is_signed: bool) -> bool:
    """Whether a number as it is written is a value, to its last digit.

    Args:
        is_signed: False in a sentence, where "2.3 points worse" needs no minus.
    """
    sign, digits = (number[0], number[1:]) if number[0] in "<>" else ("", number)
    said = float(digits.replace(",", ""))
    if sign:
        return value < said if sign == "<" else value > said
    if not is_signed and digits[0] not in "+-":
        value = abs(value)
    mantissa, _, exponent = digits.lower().partition("e")
    places = len(mantissa.partition(".")[2]) - int(exponent or 0)
    return abs(said - value) <= 0.5 * 10.0**-places * (1 + 1e-9) + 1e-12 * abs(value)


def _numbers(text: str) -> list[str]:
    """The numbers of a text, in their order, without what LaTeX puts between their letters."""
    return [n for n in _NUMBER.findall(_plain(text)) if any(c.isdigit() for c in n)]


def _plain(text: str) -> str:
    """A text of LaTeX without its commands, so that a number reads as one."""
    text = re.sub(r"\\(?:,|!|;|thinspace\b|mathord\b)\s*", "", text)
    text = text.replace("{,}", ",").replace("\N{MINUS SIGN}", "-").replace("$", "")
    text = re.sub(r"\\(?:le|leq|lt|textless)(?![A-Za-z])(?:\{\})?", "<", text)
    text = _NO_TEXT.sub(" ", text)
    text = re.sub(r"\\multi(?:column|row)\s*\{[^}]*\}\s*\{[^}]*\}", " ", text)
    text = re.sub(r"\\[A-Za-z]+\*?", " ", text)
    text = re.sub(r"(?<=[<>+-])\s+(?=[\d.])", "", re.sub(r"[{}]", "", text))
    return text.replace("~", " ").replace("--", " ")


def _shown(value: Number) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float) and (math.isinf(value) or not value.is_integer()):
        return f"{value:.6g}"
    return f"{value:,.0f}"
