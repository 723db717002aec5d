"""Texts of others in each format of a report: one function a format, and all of them are here.

Names, notes, errors, tags, labels and config values come from run folders, which somebody else may
have sent. No character in them may be obeyed: as markup, as a formula, or by a terminal. In every
format control characters, ends of lines and characters that turn the reading direction are shown as
escapes such as \\x1b. A new format gets its function here and its case in
tests/report/test_escape.py.
"""

import html
import re
import zlib
from typing import Any

from mnist_seq.config.text import in_one_line

# Everything that starts markup within a line: of CommonMark, of GitHub's tables and strike-through,
# of formulas between dollars, and of HTML
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|#&~$!])")
# What starts a list or a rule, or makes a heading of the line before, where a text begins a line
_MARKDOWN_START = re.compile(r"^([-+](?=\s|$)|-(?=[-\s]+$)|=(?=[=\s]*$)|\d{1,9}(?=[.)](?:\s|$)))")
# Every character of ASCII that LaTeX obeys, or sets as another one; brackets and * follow a \\\\ in
# tables, where they would be its argument
_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\char34{}",
    "`": r"\textasciigrave{}", "[": "{[}", "]": "{]}", "*": "{*}",
}  # fmt: skip
# What all engines set with LaTeX alone, beside Latin-1
_LATEX_KNOWN = {
    "\N{MINUS SIGN}": "$-$", "\N{EN DASH}": r"\textendash{}", "\N{EM DASH}": r"\textemdash{}",
    "\u202f": r"\,", "\N{NO-BREAK SPACE}": "~",
    "\N{MULTIPLICATION SIGN}": r"$\times$", "\N{INFINITY}": r"$\infty$",
    "\N{PLUS-MINUS SIGN}": r"$\pm$", "\N{ALMOST EQUAL TO}": r"$\approx$",
}  # fmt: skip
_LATEX_LACKS = set("ÐÞðþĄąĐđĘęĦħĮįĸĿŀŉŊŋŦŧŲųſ")  # letters of Latin-1 and Extended-A
_LATEX_LIGATURE = re.compile("(?<=-)-|(?<=,),|(?<=')'")
# Spreadsheets also take the wide forms for a formula's first character
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def for_html(text: str) -> str:
    """A text between tags, or in a quoted attribute."""
    return html.escape(in_one_line(text))


def for_markdown(text: str) -> str:
    """A text that Markdown and the HTML in it show as it is; runs of spaces become one."""
    one_line = _MARKDOWN.sub(r"\\\1", " ".join(in_one_line(text).split()))
    return _MARKDOWN_START.sub(_escaped_start, one_line)


def _escaped_start(found: re.Match[str]) -> str:
    return f"{found[1]}\\" if found[1].isdigit() else f"\\{found[1]}"


def for_markdown_code(text: str) -> str:
    """A text as code within a line, with its backticks."""
    shown = in_one_line(text)
    fence = "`" * (_longest_ticks(shown) + 1)
    is_bare = shown.strip(" `") == shown and shown
    return f"{fence}{shown}{fence}" if is_bare else f"{fence} {shown} {fence}"


def for_markdown_block(text: str) -> str:
    """A text of one line as a block of code, with its fences."""
    shown = in_one_line(text)
    fence = "`" * max(3, _longest_ticks(shown) + 1)
    return f"{fence}\n{shown}\n{fence}"


def _longest_ticks(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def for_csv(text: str) -> str:
    """A text that a spreadsheet does not compute: an apostrophe stands before a formula."""
    shown = in_one_line(text)
    return f"'{shown}" if _is_formula(text) else shown


def _is_formula(text: str) -> bool:
    start = text.strip()
    if not start.startswith(_FORMULA):
        return False
    try:
        float(start)
    except ValueError:
        return True
    return False


def for_latex(text: str) -> str:
    """A text in a paragraph, a caption or a cell of a table, for pdfLaTeX too.

    A character that plain LaTeX has no letter for is written as its number, U+4E2D.
    """
    return _LATEX_LIGATURE.sub(r"{}\g<0>", "".join(map(_for_latex, in_one_line(text))))


def _for_latex(character: str) -> str:
    found = _LATEX.get(character) or _LATEX_KNOWN.get(character)
    if found or character.isascii():
        return found or character
    is_letter = 0xC0 <= ord(character) <= 0x17F and character not in _LATEX_LACKS
    return character if is_letter else f"U+{ord(character):04X}"


def for_folder(text: str) -> str:
    """A text as the name of a folder; the short hash of one that has other characters is added."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "-", text)[:60]
    return plain if plain == text and text else f"{plain}-{zlib.crc32(text.encode()):08x}"


def for_terminal(text: str) -> str:
    """A text that takes one line of a terminal."""
    return in_one_line(text)


def for_wandb(text: str) -> str:
    """A title or a paragraph of W&B's report, which take plain text; its tables take Markdown."""
    return in_one_line(text)


def for_charts(specification: Any) -> Any:
    """A Vega-Lite specification with each text in it escaped; SVG lacks control characters."""
    if isinstance(specification, str):
        return in_one_line(specification)
    if isinstance(specification, dict):
        return {for_charts(key): for_charts(value) for key, value in specification.items()}
    if isinstance(specification, list | tuple):
        return [for_charts(value) for value in specification]
    return specification
