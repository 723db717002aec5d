"""One value, several renderings: every number is the same wherever it is read."""

import csv
import html
import html.parser
import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from mnist_seq.report import wording
from mnist_seq.report.column import Column
from mnist_seq.report.columns import shown_columns
from mnist_seq.report.render import markdown, table_csv, terminal
from mnist_seq.report.render.html import render
from mnist_seq.report.texts import fmt, words
from mnist_seq.report.value import Report
from tests.report.sweeps import report_of, write_run

HOSTILE = '<script>alert("x")</script> & [bold]`|$' + "'\""


class Cells(html.parser.HTMLParser):
    """The verdict table of the page: text by (row, column key)."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[tuple[int, str], str] = {}
        self.row, self.key = -1, ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        key = dict(attrs).get("data-column") or ""
        self.row += key == "variant"
        self.key = key

    def handle_endtag(self, tag: str) -> None:
        self.key = ""

    def handle_data(self, data: str) -> None:
        if self.key:
            self.found[self.row, self.key] = self.found.get((self.row, self.key), "") + data


def text_of(page: str) -> str:
    """The texts of a page, without its tags."""
    return html.unescape(re.sub(r"</?\w[^>]*>", "", page))


def printed(report: Report, width: int) -> str:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    terminal.print_report(report, console, has_details=True)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def markdown_rows(report: Report) -> list[list[str]]:
    lines = markdown.verdict_table(report).splitlines()[2:]
    return [
        [re.sub(r"\\(.)", r"\1", cell.strip()) for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in lines
    ]


def from_csv(column: Column, row: dict[str, str], report: Report) -> str:
    """What a cell of the CSV reads like in the other renderings."""
    d = report.metric.decimals

    def number(name: str) -> float:
        return float(row[name] or "nan")

    def span(low: str, high: str) -> str:
        if not row[low]:
            return wording.NONE
        return f"{wording.number(number(low), d)} to {wording.number(number(high), d)}"

    key = column.name
    if key in ("mean", "sd", "detectable_corrected"):
        return wording.number(number(key), d)
    if key == "difference":
        return wording.signed(number(key), d)
    if key == "effect_size":
        return wording.number(number(key), 2)
    if key == "p_better" and row[key]:
        ends = (wording.number(number(f"p_better_{end}"), 2) for end in ("low", "high"))
        return f"{wording.number(number(key), 2)} ({' to '.join(ends)})"
    if key == "probability_better" and row[key]:
        names = ("better", "equal", "worse")
        return "/".join(wording.number(number(f"probability_{name}"), 2) for name in names)
    if key in ("p_better", "probability_better"):
        return wording.NONE
    return {
        "variant": next(v.label for v in report.variants if v.name == row["variant"]),
        "verdict": row["verdict"],
        "n": row["n"],
        "interval": span("low", "high"),
        "difference_interval": span("difference_low", "difference_high"),
        "p_adjusted": wording.p_value(number("p_adjusted")),
        "num_params": wording.count(number("num_params")),
        "seconds": wording.number(number("seconds"), 1),
    }[key]


@pytest.fixture(scope="module")
def report(grid: Path) -> Report:
    return report_of(grid, margin=0.1, thresholds=(0.9, 0.95))


def test_every_number_is_the_same_in_all_renderings(report: Report) -> None:
    """Markdown, CSV and HTML: a reader may quote any of them."""
    shown = shown_columns(report)
    rows = list(csv.DictReader(io.StringIO(table_csv.render(report))))
    page = Cells(render(report)).found
    text = markdown_rows(report)
    for i, variant in enumerate(report.variants):
        for j, column in enumerate(shown):
            want = from_csv(column, rows[i], report)
            assert column.written(variant) == want, column.name
            assert text[i][j] == want, column.name
            assert page[i, column.name] == want, column.name


def test_the_csv_has_the_columns_of_the_design(report: Report) -> None:
    header = table_csv.render(report).splitlines()[0].split(",")
    assert set(header) >= {
        "variant", "baseline", "n", "failed", "diverged", "mean", "sd", "low", "high", "difference",
        "difference_low", "difference_high", "p", "p_adjusted", "effect_size", "verdict",
        "num_params", "seconds", "seconds_sd", "correlation", "equivalence_low", "permutation",
    }  # fmt: skip
    assert len(header) == len(set(header))


@pytest.mark.parametrize("width", [300, 140, 110, 90, 80, 50])
def test_no_number_and_no_word_is_cut_at_any_width(report: Report, width: int) -> None:
    """A narrow terminal shows fewer columns, and then a list, never half of something."""
    console = Console(width=width, file=io.StringIO(), color_system=None, force_terminal=True)
    terminal.print_table(report, console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    lines = text.splitlines()
    assert max(map(len, lines)) <= max(width, *(len(word) for word in text.split()))
    assert ("variant  " in text) == (width >= 80), "a table from 80 columns on"
    d = words.decimals_of(report)
    for variant in report.variants:
        assert fmt.number(variant.mean, d) in text
        if found := variant.compared:
            ends = found.comparison.interval
            shown = fmt.interval(ends.low, ends.high, d, is_signed=True)
            assert fmt.signed(found.comparison.difference, d) in text
            assert shown in text.replace("[ ", "[").replace(",  ", ", ")
            assert fmt.p_value(found.verdict.p_adjusted).replace(fmt.THIN, "") in text
            assert words.verdict(variant) in text


def test_verdicts_in_words_are_in_every_long_rendering(report: Report) -> None:
    page, text, shown = render(report), markdown.render(report), printed(report, 120)
    for variant in report.variants:
        if variant.compared:
            assert variant.verdict in html.unescape(page)
            assert variant.verdict in re.sub(r"\\(.)", r"\1", text)
            assert variant.verdict in shown
            assert variant.compared.pairing in shown
            d, unit = variant.compared.comparison, " points"
            assert f"{wording.number(abs(d.difference), 2)}{unit}" in variant.verdict
            assert f"interval {d.interval.low:.2f} to {d.interval.high:.2f}" in variant.verdict
    for about in (r"d\_z: difference in", "P(better): share of seeds", "detectable, points: small"):
        assert about in text
    assert re.search("labelled [0-9], that some reads as [0-9] in [0-9]+ runs?", page)


def test_names_cannot_break_out_of_any_rendering(tmp_path: Path) -> None:
    """Names and configs come from users, and from other people's sweeps."""
    sweep = tmp_path / "sw<img src=x onerror=alert(1)>"
    for seed in range(2):
        for cell in ("lstm", HOSTILE):
            write_run(sweep, cell, seed=seed, accuracy=0.9 + seed / 100, name=f"{len(cell)}{seed}")
    (sweep / "<b>odd").mkdir()
    run = write_run(sweep, "lstm", seed=9, state="failed", name="bad")
    run.write_error("Boom: </script><script>alert(2)</script>")
    report = report_of(sweep)
    page = render(report)
    assert HOSTILE in Cells(page).found.values()
    body, script = page.split("<body>")[1].split("<script>")
    assert "<script" not in body
    assert "alert" not in script
    assert "<img src=x" not in page
    assert "<b>odd" not in page
    assert HOSTILE in printed(report, 400)
    assert [row[0] for row in markdown_rows(report)][1] == HOSTILE
    rows = list(csv.DictReader(io.StringIO(table_csv.render(report))))
    assert rows[1]["variant"] == HOSTILE


def test_a_spreadsheet_takes_no_name_for_a_formula(tmp_path: Path) -> None:
    write_run(tmp_path / "s", "=HYPERLINK(1)", name="x")
    (row,) = csv.DictReader(io.StringIO(table_csv.render(report_of(tmp_path / "s"))))
    assert row["variant"].startswith("'=")


def test_the_page_needs_nothing_but_itself(report: Report) -> None:
    page = render(report)
    assert len(page) < 300_000
    assert "default-src 'none'" in html.unescape(page)
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]+"', page.split("<script>")[0])


@pytest.mark.parametrize("states", [("failed", "failed"), ("diverged", "interrupted")])
def test_a_report_without_results_can_be_rendered(tmp_path: Path, states: tuple[str, str]) -> None:
    for seed, state in enumerate(states):
        write_run(tmp_path / "s", seed=seed, state=state)
    report = report_of(tmp_path / "s")
    assert "0 of 2" in printed(report, 200)
    assert render(report)
    assert markdown.render(report)
    assert table_csv.render(report)


def test_many_missing_baselines_do_not_bury_the_answer(tmp_path: Path) -> None:
    """A search tries dozens of sizes; all commands are in the files."""
    for hidden in range(10, 24):
        write_run(tmp_path / "s", "gru", hidden)
    report = report_of(tmp_path / "s")
    assert len(report.missing) == 14
    text = printed(report, 100)
    assert (text.count("to add it:"), "missing: 9 more, all in the report" in text) == (5, True)
    page = render(report)
    assert page.index("<summary>10 more notices") < page.index('id="answer"')
    assert all(html.escape(missing.command) in page for missing in report.missing)
    assert all(missing.command in markdown.render(report) for missing in report.missing)
