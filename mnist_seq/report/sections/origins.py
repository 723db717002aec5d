"""Where the numbers come from: code, versions, hardware and data of the runs."""

from collections import Counter
from dataclasses import dataclass

from mnist_seq.report.analyse.warnings import code_of, mapping
from mnist_seq.report.markup.escape import for_html, for_markdown_code
from mnist_seq.report.markup.html_table import html_table
from mnist_seq.report.markup.markdown_table import markdown_table
from mnist_seq.report.read.run import Run
from mnist_seq.report.sections import Inputs, Section
from mnist_seq.report.value import Report
from mnist_seq.report.wording import NONE
from mnist_seq.runs.text import plural


@dataclass(frozen=True)
class Facts:
    """Values that the runs have for each property, with the number of runs of each."""

    values: dict[str, tuple[tuple[str, int], ...]]


class Origins(Section[Facts]):
    """Every report has it."""

    order = 220.0
    heading = "Code, versions, machine, data"

    def compute(self, inputs: Inputs) -> Facts:
        """Values of the runs that are reported, the most frequent first."""
        found: dict[str, Counter[str]] = {}
        for run in inputs.runs:
            for name, value in _facts(run).items():
                found.setdefault(name, Counter())[value] += 1
        return Facts({name: tuple(counter.most_common()) for name, counter in found.items()})

    def more_html(self, report: Report, part: Facts) -> str:
        """The folders, the command, and one row a property; counts only where they vary."""
        sources = ", ".join(f"<code>{for_html(source)}</code>" for source in report.sources)
        rows = [
            (name, values[0][0] if len(values) == 1 else _counted(values))
            for name, values in part.values.items()
            if [value for value, _ in values] != [NONE]
        ]
        command = report.asked.command()
        asked = f'<p class="cap">The command: <code>{for_html(command)}</code></p>'
        return (
            f"<p class='cap'>Read from {sources}.</p>{asked if command else ''}"
            f"{html_table(('property', 'value'), rows, wrap=(1,), caption=self.heading)}"
        )

    def more_markdown(self, report: Report, part: Facts) -> str:
        """The same."""
        sources = ", ".join(for_markdown_code(source) for source in report.sources)
        table = markdown_table(["", ""], _rows(part), [False, False])
        return f"## Where the numbers come from\n\n{sources}; written {report.created}.\n\n{table}"


def _counted(values: tuple[tuple[str, int], ...]) -> str:
    return ", ".join(f"{value} ({plural(n, 'run')})" for value, n in values)


def _rows(part: Facts) -> list[tuple[str, str]]:
    return [(name, _counted(values)) for name, values in part.values.items()]


def _facts(run: Run) -> dict[str, str]:
    code, host = mapping(run, "code"), mapping(run, "host")
    facts = {
        "code": code_of(code, "shared", "hash"),
        "commit": str(code.get("commit", ""))[:12],
        "uncommitted changes": "yes" if code.get("is_dirty") else "no",
        **{name: str(version) for name, version in mapping(run, "versions").items()},
        "device": str(run.record.get("device", "")),
        "cpu": f"{host.get('cpu', '')} ({host.get('cores', '?')} cores)" if host else "",
        "system": str(host.get("system", "")),
        "host": str(host.get("name", "")),
        "starts from": _origin(run),
        "data": str(run.values.get("data.data", "")),
        "data fingerprint": str(run.values.get("data.fingerprint", ""))[:16],
        "training examples": str(run.values.get("data.num_train", "")),
        "validation examples": str(run.values.get("data.num_valid", "")),
        "test examples": str(run.values.get("data.num_test", "")),
        "day": str(run.record.get("started", ""))[:10],
    }
    return {name: value or NONE for name, value in facts.items()}


def _origin(run: Run) -> str:
    """Which run's weights this one starts from; "" where they are new."""
    origin = mapping(run, "origin")
    if not origin:
        return ""
    name, data, model = (str(origin.get(key, "")) for key in ("run", "data", "model"))
    what = "weights and optimizer" if origin.get("optimizer") is True else "weights"
    head = ", new head" if origin.get("head") == "new" else ""
    own = f"{name}, " if name != model else ""
    return (
        f"{what} of {own}model={model}, data={data}, seed {origin.get('seed')} "
        f"({origin.get('source')}){head}"
    )
