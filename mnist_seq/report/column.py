"""One column of a comparison: its name, its value, and how people see it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from mnist_seq.report import wording
from mnist_seq.report.value import Variant

Value = str | int | float | None
Get = Callable[[Variant], Value]


@dataclass(frozen=True)
class Shown:
    """How a column appears in the verdict table.

    Attributes:
        place: its position from the left; any number between two others is free.
        about: its meaning, for a caption or a tooltip.
        text: variant -> its text; for a column of texts, the value itself.
        order: variant -> the number by which the page sorts; by default the value.
    """

    place: int
    header: str
    about: str
    text: Callable[[Variant], str] | None = None
    order: Get | None = None


@dataclass(frozen=True)
class Column:
    """One number or text of a variant.

    Attributes:
        name: header in report.csv and in frames, and CSS class on the page.
        get: variant -> the value with all digits; None or NaN if it has none.
        shown: None if only files have this column.
        is_in_files: False for a column for people only, such as an interval in one cell.
        is_text: whether it is text, aligned left.
    """

    name: str
    get: Get
    shown: Shown | None = None
    is_in_files: bool = field(default=True, kw_only=True)
    is_text: bool = field(default=False, kw_only=True)

    @property
    def header(self) -> str:
        """Its title in tables for people."""
        return self.shown.header if self.shown else self.name

    @property
    def about(self) -> str:
        """Its meaning."""
        return self.shown.about if self.shown else ""

    def written(self, variant: Variant) -> str:
        """A variant's value as text."""
        if self.shown and self.shown.text:
            return self.shown.text(variant)
        value = self.get(variant)
        return wording.NONE if value is None or value == "" else str(value)

    def order(self, variant: Variant) -> Value:
        """The number by which a variant's row is sorted."""
        return self.shown.order(variant) if self.shown and self.shown.order else self.get(variant)
