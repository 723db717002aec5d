"""What papers print of the experiments that the runs repeat, and whether it was met."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mnist_seq.published.judging import RULE, Verdict, judge_values
from mnist_seq.published.measured import minutes_of
from mnist_seq.published.rows import GROUP, rows
from mnist_seq.published.stored import variant_of
from mnist_seq.published.table import HEADER, SHORT, texts
from mnist_seq.report.read.run import Run
from mnist_seq.report.sections import Inputs, Section, Table
from mnist_seq.report.value import Report


@dataclass(frozen=True)
class Found:
    """The published numbers that runs of the report repeat."""

    verdicts: tuple[Verdict, ...]


class Published(Section[Found]):
    """Needs runs of an experiment whose file says what a paper prints (`expects`)."""

    order = 8.0
    heading = "Published numbers"
    lead = "What papers print of these experiments, and whether it was met."

    def compute(self, inputs: Inputs) -> Found | None:
        """Judge each published number by the runs that repeat it."""
        asked = {word for run in inputs.runs for word in run.record.get("overrides") or ()}
        names = {word.partition("=")[2] for word in asked if word.startswith(f"{GROUP}=")}
        ended = [run for run in inputs.runs if run.state in ("finished", "diverged")]
        found = []
        for row in rows(only=names) if names else ():
            of = [run for run in ended if row.is_of(run.record)]
            if of:
                values = [_value(run, row.expected.metric) for run in of]
                minutes = sum(minutes_of(run.seconds, run.record) for run in of)
                facts = inputs.task.metrics.get(row.expected.metric.rpartition("/")[2])
                is_higher_better = facts.higher_is_better if facts else None
                verdict = judge_values(row, values, minutes, is_higher_better=is_higher_better)
                why = _not_of_one(of)
                found.append(replace(verdict, word="not decided", why=why) if why else verdict)
        return Found(tuple(found)) if found else None

    def tables(self, report: Report, part: Found) -> Sequence[Table]:
        """The whole table, and for a terminal its first columns."""
        whole = tuple(map(texts, part.verdicts))
        short = tuple(row[:SHORT] for row in whole)
        title = self.heading
        return (
            Table(
                title,
                HEADER,
                whole,
                RULE,
                wrap=HEADER[SHORT:],
                formats=("html", "markdown", "wandb"),
            ),
            Table(
                title,
                HEADER[:SHORT],
                short,
                RULE,
                name="published-short",
                formats=("terminal",),
                is_answer=True,
            ),
        )


def _value(run: Run, metric: str) -> float | None:
    """None where it diverged, also at its end alone."""
    value = run.metrics.get(metric, math.nan) if run.state == "finished" else math.nan
    return value if math.isfinite(value) else None


def _not_of_one(runs: Sequence[Run]) -> str:
    """Why runs are not the seeds of one variant; "" where they are."""
    if len({variant_of(run.record["config"]) for run in runs}) > 1:
        return "the runs have several configs"
    return "a seed counts twice" if len({run.seed for run in runs}) < len(runs) else ""
