"""How the numbers were made: a paragraph for a paper's methods, and what a repetition needs."""

from mnist_seq.report.markup.escape import for_html, for_markdown, for_markdown_code
from mnist_seq.report.paper.methods import paragraph, reproducibility
from mnist_seq.report.paper.setup import Setup, setup_of
from mnist_seq.report.sections import Inputs, Section
from mnist_seq.report.value import Report


class Methods(Section[Setup]):
    """Every report has it."""

    order = 195.0
    heading = "Methods text"
    lead = "Ready to paste; every number is from the runs' own records."

    def compute(self, inputs: Inputs) -> Setup:
        """From the records of the runs that are reported."""
        return setup_of(inputs.runs, inputs.options.over)

    def more_html(self, report: Report, part: Setup) -> str:
        """The paragraph, and the list of what a repetition needs."""
        listed = "".join(
            f"<dt>{for_html(name)}</dt><dd>{for_html(text)}</dd>"
            for name, text in reproducibility(report, part)
        )
        return (
            f'<blockquote id="t-methods">{for_html(paragraph(report, part))}</blockquote>'
            '<div class="tools"><button type="button" hidden data-copy="t-methods" '
            'data-what="methods text">Copy text</button></div>'
            f'<details><summary>What a repetition needs</summary><div><dl class="kv">{listed}</dl>'
            "</div></details>"
        )

    def more_markdown(self, report: Report, part: Setup) -> str:
        """The same."""
        listed = "\n".join(
            f"- {for_markdown(name)}: "
            f"{for_markdown_code(text) if name == 'Command' else for_markdown(text)}"
            for name, text in reproducibility(report, part)
        )
        return f"## Methods, to paste\n\n{for_markdown(paragraph(report, part))}\n\n{listed}"
