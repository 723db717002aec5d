"""What was chosen on validation: the values of tuned keys that each variant is reported with."""

from collections.abc import Sequence
from dataclasses import dataclass

from mnist_seq.report import wording
from mnist_seq.report.read.metric import Metric
from mnist_seq.report.sections import Inputs, Section, Table
from mnist_seq.report.value import Choice, Report


@dataclass(frozen=True)
class Choices:
    """Choices by the key of their variant, and the metric that they went by."""

    by_variant: dict[int, Choice]
    selector: Metric


class Chosen(Section[Choices]):
    """Needs a choice: `over` names keys that vary."""

    order = 10.0
    heading = "Chosen on validation"

    def compute(self, inputs: Inputs) -> Choices | None:
        """The choices of all variants."""
        found = {v.key: v.choice for v in inputs.variants if v.choice is not None}
        return Choices(found, inputs.selector) if found else None

    def tables(self, report: Report, part: Choices) -> Sequence[Table]:
        """One row a variant."""
        d = part.selector.decimals
        rows = tuple(
            (report.variants[key].label, c.text, wording.number(c.value, d),
             wording.number(c.runner_up, d), str(c.n), "; ".join(c.remarks) or wording.NONE)
            for key, c in part.by_variant.items()
        )  # fmt: skip
        header = ("variant", "chosen", part.selector.title, "next best", "seeds", "remarks")
        caption = (
            "The choice used validation only: the mean over seeds, of the combinations of values "
            "with the most seeds; a run that diverged counts as a guess. Test is read at the "
            "chosen values alone."
        )
        return [Table("Chosen on validation", header, rows, caption, wrap=("remarks",),
                      is_answer=True)]  # fmt: skip
