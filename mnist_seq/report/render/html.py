"""report.html: one file that needs nothing else, neither a network nor the folder it lies in."""

import functools
import re
from collections.abc import Iterator
from pathlib import Path

from mnist_seq.report.charts import style
from mnist_seq.report.charts.figure import Drawing
from mnist_seq.report.markup.escape import for_folder, for_html
from mnist_seq.report.markup.html_table import html_table
from mnist_seq.report.paper.document import Asked
from mnist_seq.report.paper.numbers import slug
from mnist_seq.report.render.page import head, parts
from mnist_seq.report.render.page.answer import answer
from mnist_seq.report.render.page.notes import notes
from mnist_seq.report.sections import APPENDIX, Section, Table, sections_of
from mnist_seq.report.texts import fmt, words
from mnist_seq.report.texts.headline import headline
from mnist_seq.report.value import Report

_ASSETS = Path(__file__).resolve().parent / "assets"
_POLICY = (  # nothing may be fetched, from anywhere
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
)


_MINUS = re.compile(r"(?<![\w.=-])-(?=\d)")  # before a number; not within a name or a date


def render(report: Report, asked: Asked | None = None) -> str:
    """The page.

    Args:
        asked: of the LaTeX that a button copies; by default the name is the report's title.
    """
    asked = asked or Asked(slug(report.title))
    found = list(_sections(report))
    appendix = "".join(body for _, title, body, is_last in found if is_last)
    own = [(name, title, body) for name, title, body, is_last in found if not is_last]
    shown = [*own, *_answers(report, asked)] if report.tasks else [*_answers(report, asked), *own]
    contents = [(name, title) for name, title, _ in shown]
    contents += [("settings", "Settings and origin")] if appendix else []
    contents += [("notes", "Notes")]
    body = "".join(body for _, _, body in shown)
    if appendix:
        body += parts.section(
            "settings", "Settings and origin", "Enough to run it again.", appendix
        )
    body += notes(report)
    links = "".join(f'<li><a href="#{name}">{for_html(title)}</a></li>' for name, title in contents)
    said = " ".join(headline(report))
    about = for_html(" ".join(head.dek(report)))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{for_html(_POLICY)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{for_html(report.title)}: {for_html(said)}</title>"
        f'<meta name="description" content="{about}"><link rel="icon" href="data:,">'
        f"<style>{_css()}</style></head>\n"
        f'<body><a class="skip" href="#{contents[0][0]}">To the answer</a><div class="page">'
        f'{head.header(report)}<nav class="toc" aria-label="Contents"><ol>{links}</ol></nav>\n'
        f"<main>{body}{_footer(report)}</main></div>"
        '<p id="said" class="vh" role="status"></p>\n'
        f"<script>{_asset('page.js')}</script></body></html>\n"
    )


def _answers(report: Report, asked: Asked) -> list[tuple[str, str, str]]:
    """(name, title, HTML) of the answer; of several tasks, of each of them."""
    if not report.tasks:
        return [("answer", "The answer", answer(report, asked))] if report.variants else []
    found = []
    for task, own in report.tasks.items():
        name, title = f"answer-{for_folder(task)}", words.data(task)
        page = f"tasks/{for_folder(task)}/report.html"
        link = (
            f'<p class="cap"><a href="{for_html(page)}">All figures and tables of '
            f"{for_html(title)}</a></p>"
        )
        said = " ".join(headline(own))
        body = answer(own, asked.of_task(task), for_html(name), title, said, link)
        found.append((name, title, body))
    return found


def _sections(report: Report) -> Iterator[tuple[str, str, str, bool]]:
    """(name, title, HTML, whether it is of the appendix) of each section that shows something."""
    for section, part in sections_of(report):
        drawings = [d for d in section.drawn(report, part) if d.body]
        tables = [t for t in section.tables(report, part) if "html" in t.formats]
        more = section.more_html(report, part)
        title = section.heading or next((d.title for d in drawings), "")
        title = title or next((t.title for t in tables), section.name().replace("_", " "))
        is_last = section.order >= APPENDIX
        if is_last:
            yield section.name(), title, parts.folded(title, more, name=f"s-{section.name()}"), True
        elif drawings or tables or more:
            body = "".join(_drawing(d, title) for d in drawings)
            is_below = bool(drawings)
            body += "".join(_table(section, t, title, is_below=is_below) for t in tables)
            yield (
                section.name(),
                title,
                parts.section(section.name(), title, section.lead, body + more),
                False,
            )


def _drawing(drawing: Drawing, title: str) -> str:
    name = "" if drawing.title in ("", title) else f"<h3>{for_html(drawing.title)}</h3>"
    caption = f"<figcaption>{for_html(drawing.caption)}</figcaption>" if drawing.caption else ""
    return f"{name}<figure>{drawing.body}{caption}</figure>"


def _table(section: Section[object], table: Table, title: str, *, is_below: bool) -> str:
    """A table of a section; below a drawing, which shows the same, it is folded."""
    wrap = [place for place, header in enumerate(table.header) if header in table.wrap]
    rows = [[_MINUS.sub(fmt.MINUS, text) for text in row] for row in table.rows]
    body = html_table(table.header, rows, wrap, caption=table.title)
    body += parts.captions([table.caption])
    if is_below:
        is_more = bool(table.name) and table.title != title  # and not what the drawing shows
        name = f"{table.name if is_more else section.name()}-table"
        return parts.folded(table.title if is_more else "The same as numbers", body, name=name)
    name = "" if table.title == title else f"<h3>{for_html(table.title)}</h3>"
    return name + body


def _footer(report: Report) -> str:
    num = sum(len(own.runs) for own in (report, *report.tasks.values()))
    sources = ", ".join(report.sources)
    return (
        f"<footer>Written by mnist_seq.compare on {fmt.date(report.created)} from {num} run "
        f"{'folder' if num == 1 else 'folders'} in {for_html(sources)}. One file, nothing is "
        "fetched.</footer>"
    )


@functools.cache
def _css() -> str:
    def tokens(place: int) -> str:
        scheme = ("light", "dark")[place]
        values = ";".join(f"--{name}:{both[place]}" for name, both in style.TOKENS.items())
        return f":root{{color-scheme:{scheme};{values}}}"

    dark = f"@media screen and (prefers-color-scheme: dark) {{ {tokens(1)} }}"
    return f"{tokens(0)}\n{dark}\n{_asset('page.css')}"


@functools.cache
def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")
