"""Every run, every folder that was left aside, and the decisions that were made on the way."""

from dataclasses import dataclass

from mnist_seq.report import wording
from mnist_seq.report.markup.escape import for_html, for_markdown, for_markdown_code
from mnist_seq.report.markup.html_table import html_table
from mnist_seq.report.sections import Inputs, Section
from mnist_seq.report.texts import words
from mnist_seq.report.value import Report


@dataclass(frozen=True)
class Count:
    """Number of runs; the report holds them all."""

    num_runs: int


class Runs(Section[Count]):
    """Every report has it."""

    order = 210.0
    heading = "All runs, and what was left aside"

    def compute(self, inputs: Inputs) -> Count:
        """How many runs there are."""
        return Count(sum(len(group.runs) for group in inputs.groups))

    def more_html(self, report: Report, part: Count) -> str:
        """Folders left aside, decisions, and all runs."""
        d, names = report.metric.decimals, words.labels(report)
        rows = [
            [names[r.variant], str(r.seed), r.outcome, wording.number(r.value, d),
             wording.number(r.seconds, 1), r.folder, r.reason]
            for r in report.runs
        ]  # fmt: skip
        header = ["variant", "seed", "state", report.metric.label, "seconds", "folder", "reason"]
        if not any(row[-1] for row in rows):
            header, rows = header[:-1], [row[:-1] for row in rows]
        skipped = "".join(
            f"<li><code>{for_html(left.folder)}</code>: {for_html(left.reason)}</li>"
            for left in report.skipped
        )
        notes = "".join(f"<li>{for_html(note)}</li>" for note in report.notes)
        left = f"<h3>Folders left aside</h3><ul>{skipped}</ul>" if skipped else ""
        said = f"<h3>Decisions</h3><ul>{notes}</ul>" if notes else ""
        return f"{left}{said}{html_table(header, rows, wrap=(5, 6), caption='All runs')}"

    def more_markdown(self, report: Report, part: Count) -> str:
        """Runs that did not finish or learn, folders left aside, decisions."""
        lost = [r for r in report.runs if r.state != "finished" or not r.is_learning]
        found = [(r.outcome, r.folder, r.reason) for r in lost]
        found += [("skipped", left.folder, left.reason) for left in report.skipped]
        lines = [
            f"- {word}: {for_markdown_code(folder)} ({for_markdown(reason)})"
            for word, folder, reason in found
        ]
        lines += [f"- {for_markdown(note)}" for note in report.notes]
        return "## Runs and folders to know of\n\n" + "\n".join(lines) if lines else ""
