"""What differs between the configs of the variants, and what is common to all."""

from dataclasses import dataclass

from mnist_seq.report.markup.escape import for_html
from mnist_seq.report.markup.html_table import html_table
from mnist_seq.report.markup.markdown_table import markdown_table
from mnist_seq.report.sections import Inputs, Section
from mnist_seq.report.texts import words
from mnist_seq.report.value import Report
from mnist_seq.report.wording import NONE
from mnist_seq.runs.variants import shown, varying


@dataclass(frozen=True)
class Keys:
    """Config keys: those that differ, with each variant's value; those common to all."""

    differing: dict[str, tuple[str, ...]]
    common: dict[str, str]


class Settings(Section[Keys]):
    """Every report has it."""

    order = 200.0
    heading = "What differs, and what all share"

    def compute(self, inputs: Inputs) -> Keys:
        """Values as text; of tuned keys, the chosen ones."""
        variants = [group.runs[0].variant for group in inputs.groups]
        keys = varying(variants)
        return Keys(
            {key: tuple(shown(v[key]) if key in v else NONE for v in variants) for key in keys},
            {key: shown(value) for key, value in variants[0].items() if key not in keys},
        )

    def more_html(self, report: Report, part: Keys) -> str:
        """The keys that differ, one row a variant; those that only some cells have; the common."""
        names = words.labels(report)
        whole = {key: row for key, row in part.differing.items() if NONE not in row}
        some = [key for key in part.differing if key not in whole]
        rows = [
            (names[v.key], *(values[place] for values in whole.values()))
            for place, v in enumerate(report.variants)
        ]
        table = (
            html_table(("variant", *whole), rows, caption="What differs")
            if whole
            else '<p class="cap">No key that all variants have differs.</p>'
        )
        own = ", ".join(f"<code>{for_html(key)}</code>" for key in some)
        extra = f'<p class="cap">Keys that only some variants have: {own}.</p>' if some else ""
        common = html_table(["key", "value"], list(part.common.items()), caption="Common to all")
        return (
            f"{table}{extra}<details><summary>Common to all variants <span>{len(part.common)} keys"
            f"</span></summary><div>{common}</div></details>"
        )

    def more_markdown(self, report: Report, part: Keys) -> str:
        """What differs."""
        if not part.differing:
            return ""
        header, rows = _differing(report, part)
        return f"## What differs\n\n{markdown_table(header, rows, [False] * len(header))}"


def _differing(report: Report, part: Keys) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    rows = tuple((key, *values) for key, values in part.differing.items())
    return ("key", *(v.label for v in report.variants)), rows
