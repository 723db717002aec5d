"""Small pieces that the page is made of; every text is escaped."""

import html
from collections.abc import Sequence

from mnist_seq.report.markup.escape import for_html


def note(number: int) -> str:
    """A link to a note."""
    return f'<sup><a href="#n{number}" aria-label="note {number}">{number}</a></sup>'


def command(text: str, name: str) -> str:
    """A command with a button that copies it; `name` is its place on the page."""
    return (
        f'<div class="cmd"><code id="{name}">{for_html(text)}</code>'
        f'<button type="button" hidden data-copy="{name}" data-what="command">Copy</button></div>'
    )


def hidden_text(text: str, name: str) -> str:
    """A text that a button copies."""
    return f'<pre hidden id="{name}">{html.escape(text)}</pre>'


def copy_button(name: str, label: str, what: str) -> str:
    """The button that copies a hidden text."""
    return f'<button type="button" hidden data-copy="{name}" data-what="{what}">{label}</button>'


def folded(summary: str, body: str, *, name: str = "", count: str = "") -> str:
    """What a reader opens."""
    number = f" <span>{for_html(count)}</span>" if count else ""
    place = f' id="{name}"' if name else ""
    return (
        f"<details{place}><summary>{for_html(summary)}{number}</summary><div>{body}</div></details>"
    )


def section(name: str, title: str, lead: str, body: str) -> str:
    """A section with its heading, which links to itself."""
    said = f'<p class="lead-in">{for_html(lead)}</p>' if lead else ""
    link = f'<a class="here" href="#{name}" aria-label="Link to {for_html(title)}">#</a>'
    return (
        f'<section id="{name}" aria-labelledby="h-{name}"><h2 id="h-{name}">{for_html(title)}'
        f"{link}</h2>{said}{body}</section>"
    )


def captions(texts: Sequence[str]) -> str:
    """Paragraphs below a table or a chart."""
    return "".join(f'<p class="cap">{for_html(text)}</p>' for text in texts if text)
