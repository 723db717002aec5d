"""report.tex: a document that compiles as it is, and whose parts can be pasted into a paper."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mnist_seq.report.markup.escape import for_latex
from mnist_seq.report.paper.methods import reproducibility, sentences
from mnist_seq.report.paper.numbers import numbers, slug
from mnist_seq.report.paper.setup import Setup
from mnist_seq.report.paper.table import Spread, marked, tables
from mnist_seq.report.sections.methods import Methods
from mnist_seq.report.value import Report


@dataclass(frozen=True)
class Asked:
    """What is asked of a paper's texts.

    Attributes:
        name: of the report, the first part of the names in its marks.
        spread: what stands behind each mean.
        command: that wrote it.
    """

    name: str
    spread: Spread = "sd"
    command: str = ""

    def of_task(self, task: str) -> "Asked":
        """The same of one task of several; the name is the one that it has alone."""
        return replace(self, name=f"{self.name}-{slug(f'where=data={task}')}", command="")


def table(report: Report, asked: Asked) -> str:
    """The table alone, to paste."""
    setup = Methods.of(report)
    return tables(report, setup, numbers(report, setup), asked.name, asked.spread)


@dataclass(frozen=True)
class Picture:
    """A figure of a paper, as wide as one column: its file without the ending, its caption."""

    path: str
    caption: str


def render(
    report: Report, setup: Setup | None, asked: Asked, pictures: Sequence[Picture] = ()
) -> str:
    """The whole document."""
    found = numbers(report, setup)
    parts = [
        _HEAD.format(name=asked.name),
        "% ---- Table (needs booktabs) ----",
        tables(report, setup, found, asked.name, asked.spread),
    ]
    if pictures:
        parts += ["% ---- Figures (need graphicx) ----", *map(_figure, pictures)]
    if setup is not None:
        said = marked(sentences(report, setup, asked.spread), found, asked.name)
        parts += ["% ---- Methods ----", "\n".join(["\\section*{Methods}", *said])]
        rows = [*reproducibility(report, setup), *_compared_by(asked)]
        items = "\n".join(f"  \\item[{for_latex(name)}] {_code(name, text)}" for name, text in rows)
        parts += [
            "% ---- Reproducibility ----",
            "\\section*{Reproducibility}\n"
            "\\begin{description}\\raggedright\n" + items + "\n\\end{description}",
        ]
    return "\n\n".join([*parts, "\\end{document}"]) + "\n"


def _compared_by(asked: Asked) -> list[tuple[str, str]]:
    return [("Compared by", asked.command)] if asked.command else []


def _code(name: str, text: str) -> str:
    """A command in a typewriter's letters, which may break at its spaces."""
    shown = for_latex(text)
    if name not in ("Command", "Compared by"):
        return shown
    straight = shown.replace("'", "\\textquotesingle{}")  # a quote of a shell
    return f"\\texttt{{{straight}}}"


def _figure(picture: Picture) -> str:
    return "\n".join(
        [
            "\\begin{figure}[tbp]",
            "  \\centering",
            f"  \\includegraphics{{{picture.path}}}",
            f"  \\caption{{{for_latex(picture.caption)}}}",
            "\\end{figure}",
        ]
    )


_HEAD = r"""% Written by mnist_seq.compare. It compiles as it is; its parts can go into a paper.
% A comment "mnist_seq {name}/..." names the numbers before it. With them,
% python -m mnist_seq.compare sweep=<folder> check=<paper>.tex
% finds the numbers of a paper that no longer are those of the runs.
\documentclass{{article}}
\usepackage[utf8]{{inputenc}}
\usepackage{{booktabs}}
\usepackage{{graphicx}}
\begin{{document}}"""
