"""The verdict table at a terminal: as many columns as fit, and never half of a word or a number."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from mnist_seq.report import wording
from mnist_seq.report.column import Column
from mnist_seq.report.columns import shown_columns
from mnist_seq.report.markup.escape import for_terminal
from mnist_seq.report.render.forest_strip import DECIDED, OPEN, Strip
from mnist_seq.report.texts import fmt, words
from mnist_seq.report.value import Report, Variant
from mnist_seq.runs.console import wrapped

_STYLES = {"better": "green", "worse": "red", "equivalent": "cyan"}
_GLUE = "\N{NO-BREAK SPACE}"
_GAP = 2  # spaces between two columns
_INDENT = 2  # of a variant below the title of its group
_LEAST_NAME = 16  # characters of the first column; another one is dropped before it gets less
_LEAST_STRIP, _MOST_STRIP = 24, 48
_STRIP_FROM = 110  # columns of a terminal
# Behind the verdict, for wide terminals
_FURTHER = ("num_params", "seconds", "step_seconds", "state_size", "multiply_adds", "sd",
            "interval", "effect_size", "p_better", "probability_better",
            "detectable_corrected")  # fmt: skip


@dataclass(frozen=True)
class _Column:
    header: str
    text: Callable[[Variant], str]
    is_left: bool = False
    style: Callable[[Variant], str] = lambda v: ""


def lines_of(report: Report, width: int) -> Iterator[Text]:
    """The table and its caption; entries of two lines each where the terminal is too narrow."""
    table = _Table(report)
    columns, strip = table.layout(width)
    yield from table.drawn(columns, strip, width) if columns else table.listed(width)
    for line in wrapped(_caption(report, strip), width):
        yield Text(line, "dim")


class _Table:
    def __init__(self, report: Report) -> None:
        self.report, self.d = report, words.decimals_of(report)
        self.families = words.families(report)
        self.indent = _INDENT if any(family.title for family in self.families) else 0
        self.names = {
            key: for_terminal(label)
            for family in self.families
            for key, label in family.labels.items()
        }
        self.is_compared = any(v.compared for v in report.variants)
        self.is_apart = any(v.pairs for v in report.variants)
        self._bounds = {v.key: _bounds(v, self.d) for v in report.variants}
        self._bound_width = max(len(bound) for ends in self._bounds.values() for bound in ends)

    def layout(self, width: int) -> tuple[list[_Column], Strip | None]:
        """The columns that fit, from everything to what a verdict rests on; none if not even it."""
        core, further = self._core(is_long=False), self._further()
        if self._room(core, width) < self._least_name():
            return [], None
        columns = self._core(is_long=True)
        if self._room(columns, width) < self._least_name():
            return core, None
        full = min(self._longest_name(), 2 * _LEAST_NAME)
        strip = None
        free = self._room(columns, width) - full - _GAP
        if self.is_compared and width >= _STRIP_FROM and free >= _LEAST_STRIP:
            strip = Strip(self.report, min(free, _MOST_STRIP))
        for column in further:
            if self._room([*columns, column], width, strip) >= full:
                columns.append(column)
        return columns, strip

    def drawn(self, columns: Sequence[_Column], strip: Strip | None, width: int) -> Iterator[Text]:
        """The lines of the table."""
        name_width = min(self._room(columns, width, strip), self._longest_name())
        head = [Text("variant".ljust(name_width), "dim")]
        head += [Text(strip.head(), "dim")] if strip else []
        yield _joined(
            [*head, *(Text(_fitted(c.header, self._width(c), c), "dim") for c in columns)]
        )
        for family in self.families:
            if family.title:
                yield Text(for_terminal(family.title), "bold")
            for v in family.variants:
                yield from self._row(v, columns, strip, name_width)

    def _row(
        self, v: Variant, columns: Sequence[_Column], strip: Strip | None, name_width: int
    ) -> Iterator[Text]:
        start = " " * self.indent
        lines = wrapped(start + self.names[v.key], name_width, indent="  ")
        cells = [Text(_padded(lines[0], name_width))]
        cells += [Text(strip.drawn(v), _style(v))] if strip else []
        cells += [Text(_fitted(c.text(v), self._width(c), c), c.style(v)) for c in columns]
        yield _joined(cells)
        yield from (Text(line) for line in lines[1:])
        if v.choice:
            yield Text(f"{start}  {for_terminal(v.choice.text)}, chosen on validation", "dim")

    def listed(self, width: int) -> Iterator[Text]:
        """Entries of a few lines each, for terminals that no table fits."""
        columns = self._core(is_long=False)[:-1]
        for family in self.families:
            if family.title:
                yield Text(for_terminal(family.title), "bold")
            for v in family.variants:
                start = " " * self.indent
                yield Text(f"{start}{self.names[v.key]}: ").append(self._word(v), _style(v))
                facts = [
                    _whole(f"{c.header} {c.text(v)}") for c in columns if c.text(v) != fmt.NONE
                ]
                for line in wrapped(f"{start}  {'; '.join(facts)}", width):
                    yield Text(line.replace(_GLUE, " "))

    def _core(self, *, is_long: bool) -> list[_Column]:
        columns = [
            _Column("n", lambda v: wording.n_text(v).partition(",")[0]),
            _Column(self.report.metric.last_name, lambda v: _plain(fmt.number(v.mean, self.d))),
        ]
        if not self.is_compared and not self.is_apart:
            columns.append(_Column("sd", lambda v: _plain(fmt.number(v.sd, self.d))))
            columns.append(_Column(f"{self._level} interval", self._own_interval))
        elif not self.is_compared:
            columns.append(_Column("difference", lambda v: _plain(fmt.signed(v.apart, self.d))))
        else:
            header = f"difference [{self._level}]"
            columns.append(_Column(header, self._difference))
            columns.append(_Column(self._p_header, _p))
        if len(self.report.variants) > 1:
            word = self._long_word if is_long else self._word
            columns.append(_Column("verdict", word, is_left=True, style=_style))
        return columns

    def _further(self) -> list[_Column]:
        known = {column.name: column for column in shown_columns(self.report)}
        found = []
        if any(v.change for v in self.report.variants):
            found.append(_Column("change", self._change, is_left=True))
        for name in _FURTHER if self.is_compared else _FURTHER[:5]:
            if name in known:
                found.append(_Column(known[name].header, _written(known[name])))
        return found

    def _change(self, v: Variant) -> str:
        return for_terminal(words.arm_title(self.report, v))

    @property
    def _level(self) -> str:
        return _plain(fmt.percent(self.report.level))

    @property
    def _p_header(self) -> str:
        return {"holm": "p, Holm", "bh": "p, BH"}.get(self.report.rule.correction, "p")

    def _own_interval(self, v: Variant) -> str:
        return _plain(fmt.interval(v.low, v.high, self.d))

    def _difference(self, v: Variant) -> str:
        """The difference with its interval; bounds stand one below the other."""
        if v.compared is None:
            return fmt.NONE
        low, high = self._bounds[v.key]
        size = _plain(fmt.signed(v.compared.comparison.difference, self.d))
        if not high:
            return size
        w = self._bound_width
        return f"{size} [{low:>{w}}, {high:>{w}}]"

    def _word(self, v: Variant) -> str:
        word = words.verdict(v)
        mark = DECIDED if words.kind(v) in words.DECIDED else OPEN
        return f"{mark} {word}" if v.compared else word

    def _long_word(self, v: Variant) -> str:
        """The word of the verdict, and how many seeds an undecided one would need."""
        needed = v.compared.verdict.needed_seeds if v.compared else None
        more = f", {fmt.ABOUT} {needed} seeds" if needed and words.kind(v) == "undecided" else ""
        return f"{self._word(v)}{more}"

    def _longest_name(self) -> int:
        longest = max(map(cell_len, self.names.values())) + self.indent
        titles = [cell_len(for_terminal(family.title)) for family in self.families]
        return max(longest, *titles, len("variant"))

    def _least_name(self) -> int:
        longest_word = max(cell_len(w) for name in self.names.values() for w in name.split())
        return min(self._longest_name(), max(_LEAST_NAME, longest_word + self.indent + _INDENT))

    def _room(self, columns: Sequence[_Column], width: int, strip: Strip | None = None) -> int:
        """What the names may take."""
        taken = sum(self._width(column) + _GAP for column in columns)
        return width - taken - (strip.width + _GAP if strip else 0)

    def _width(self, column: _Column) -> int:
        return max(cell_len(t) for t in (column.header, *map(column.text, self.report.variants)))


def _written(column: Column) -> Callable[[Variant], str]:
    return lambda v: _plain(column.written(v))


def _bounds(v: Variant, d: int) -> tuple[str, str]:
    if v.compared is None:
        return "", ""
    ends = v.compared.comparison.interval
    low, _, high = fmt.interval(ends.low, ends.high, d, is_signed=True)[1:-1].partition(", ")
    return low, high


def _p(v: Variant) -> str:
    return fmt.NONE if v.compared is None else _plain(fmt.p_value(v.compared.verdict.p_adjusted))


def _plain(text: str) -> str:
    """Terminals draw a thin space as a wide one, or not at all."""
    return text.replace(f"<{fmt.THIN}", "<").replace(fmt.THIN, " ")


def _style(v: Variant) -> str:
    return "dim" if v.is_baseline else _STYLES.get(words.kind(v), "")


def _whole(text: str) -> str:
    """A text that `wrapped` does not break."""
    return " ".join(text.replace("[ ", "[").split()).replace(" ", _GLUE)


def _padded(text: str, width: int) -> str:
    return text + " " * max(0, width - cell_len(text))


def _fitted(text: str, width: int, column: _Column) -> str:
    fill = " " * max(0, width - cell_len(text))
    return text + fill if column.is_left else fill + text


def _joined(cells: Sequence[Text]) -> Text:
    line = Text(" " * _GAP).join(cells)
    line.rstrip()
    return line


def _caption(report: Report, strip: Strip | None) -> str:
    """What the numbers of the table are."""
    found = [v.compared for v in report.variants if v.compared]
    parts = [f"mean {report.metric.title.replace(', ', ' in ')}"]
    if found or any(v.pairs for v in report.variants):
        unit = f" in {report.metric.points}" if report.metric.points else ""
        parts.append(f"difference to the baseline{unit}")
    if found:
        kinds = {c.comparison.is_paired for c in found}
        parts += ["paired by seed"] if kinds == {True} else []
    if strip:
        wide = "─ all comparisons at once" if any(c.wide for c in found) else ""
        level = _plain(fmt.percent(report.level))
        parts.append(", ".join(filter(None, [f"━ {level}", wide])))
    return "; ".join(parts)
