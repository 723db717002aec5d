"""The sections of the page that are no charts. Every text goes through `escape`."""

import base64
import math
import struct
import zlib
from collections.abc import Iterable, Sequence
from html import escape

from mnist_seq.report import wording
from mnist_seq.report.evidence import Digit
from mnist_seq.report.render.cells import Column, columns
from mnist_seq.report.render.tables import Table
from mnist_seq.report.value import Missing, Report, Variant

_MANY = 12  # variants, from which their sentences are folded


def _lack(missing: Missing) -> str:
    seeds = ", ".join(map(str, missing.seeds))
    return (
        f'<div class="notice">Missing: {escape(missing.what)}, seed {seeds}. To add it:'
        f"<pre>{escape(missing.command)}</pre></div>"
    )


def head(report: Report) -> str:
    """Title, answer, and what weakens or lacks in it."""
    notices = [f'<p class="notice">Warning: {escape(text)}.</p>' for text in report.warnings]
    lacks = [_lack(missing) for missing in report.missing]
    if len(lacks) > _MANY:
        summary = f"<summary>Missing: {len(lacks)} baselines, with the commands that add them"
        lacks = [f"<details>{summary}</summary>{''.join(lacks)}</details>"]
    notices += lacks
    return (
        f'<header><p class="soft">mnist_seq comparison</p><h1>{escape(report.title)}</h1>'
        f'<p class="lead">{escape(report.headline)}.</p>'
        f'<p class="soft">{escape(report.counts)}. Written {escape(report.created)} by '
        "mnist_seq.compare.</p>"
        f"{''.join(notices)}</header>"
    )


def verdicts(report: Report) -> str:
    """The verdict table, and each verdict in full."""
    shown = columns(report)
    heads = "".join(
        f'<th scope="col" aria-sort="none" class="{_kind(c)}" title="{escape(c.about)}">'
        f'<button type="button">{escape(c.header)}</button></th>'
        for c in shown
    )
    rows = "".join(_verdict_row(v, shown) for v in report.variants)
    sentences = "".join(
        f"<li><b>{escape(v.name)}</b>{f' ({escape(v.change)})' if v.change else ''} against "
        f"{escape(v.baseline_name)}: {escape(v.verdict)}; "
        f"{escape(v.difference.pairing)}.</li>"
        if v.difference
        else f"<li><b>{escape(v.name)}</b>: {escape(v.verdict)}.</li>"
        for v in report.variants
        if not v.is_baseline
    )
    is_open = " open" if len(report.variants) <= _MANY else ""
    return (
        '<section id="verdicts"><h2>Verdicts</h2>'
        f'<div class="scroll"><table class="verdicts sortable"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
        '<p class="caption">Declared rule: '
        f"{escape(report.rule_text)}.</p><details{is_open}><summary>Each verdict in full</summary>"
        f"<ul>{sentences}</ul></details></section>"
    )


def _verdict_row(v: Variant, shown: Sequence[Column]) -> str:
    cells = []
    for place, c in enumerate(shown):
        tag = 'th scope="row"' if place == 0 else "td"
        word = f" {v.word}" if c.key == "verdict" and v.word in _WORDS else ""
        tip = f' title="{escape(v.verdict)}"' if c.key == "verdict" else ""
        cells.append(
            f'<{tag} class="{_kind(c)}{word}" data-column="{c.key}" '
            f'data-order="{_order(c, v)}"{tip}>'
            f"{escape(c.text(v))}</{tag.split()[0]}>"
        )
    kind = ' class="baseline"' if v.is_baseline else ""
    return f"<tr{kind}>{''.join(cells)}</tr>"


def small(table: Table | None, figure: str = "") -> str:
    """A smaller table, below the figure that shows it, if there is one."""
    if table is None:
        return figure
    title = "" if figure else f"<h2>{escape(table.title)}</h2>"
    wrap = [i for i, header in enumerate(table.header) if header in ("remarks", "sampler")]
    return (
        f'{figure}<section id="{table.name}-table">{title}{_table(table.header, table.rows, wrap)}'
        f'<p class="caption">{escape(table.caption)}</p></section>'
    )


def digits(report: Report) -> str:
    """The test images that the runs agree least on, and those that each variant loses and gains."""
    found = report.predictions
    if found is None:
        return ""
    blocks = [
        '<section id="digits"><h2>Contested digits</h2><p class="caption">'
        f"{found.num_contested:,} of {found.num_images:,} test images are read differently by "
        "some runs; "
        f"here those {len(found.contested)} on which the runs are most evenly split between "
        "right and wrong: "
        "label, and what the runs read. Test images are no "
        "replicates: they illustrate a difference, the table above judges it.</p>",
        _digit_list(found.contested),
    ]
    for entry in found.exchanged:
        v = report.variants[entry.variant]
        blocks.append(
            f"<details><summary>{escape(v.name)} against {escape(v.baseline_name)}: "
            f"{entry.num_gained} images gained, {entry.num_lost} lost</summary>"
            "<p class='caption'>Gained: most seeds of the variant are right and most of the "
            "baseline "
            "wrong. Lost: the other way round. Predictions are the variant's; the widest gaps "
            "first.</p>"
            ""
            f"<h3>Gained</h3>{_digit_list(entry.gained)}<h3>Lost</h3>{_digit_list(entry.lost)}</details>"
        )
    return "".join(blocks) + "</section>"


def models(report: Report) -> str:
    """McNemar for each seed's pair of models."""
    rows = [
        [v.name, v.baseline_name, *(str(n) for n in v.difference.mcnemar)]
        for v in report.variants
        if v.difference and v.difference.mcnemar
    ]
    if not rows:
        return ""
    header = ["variant", "baseline", "pairs", "variant better", "baseline better", "undecided"]
    return (
        '<section id="models"><h2>Model by model</h2>'
        f"{_table(header, rows)}<p class='caption'>Exact McNemar test of the two models of each "
        "seed on "
        f"the same test images, at {report.rule.alpha:g}, not adjusted. It compares two trained "
        "models, "
        "not two methods: the verdicts rest on the seeds.</p></section>"
    )


def settings(report: Report) -> str:
    """What differs between the variants' configs, and what is common to all."""
    names = ["key", *(v.name for v in report.variants)]
    differing = [[s.key, *s.values] for s in report.settings[0]]
    common = [[s.key, s.values[0]] for s in report.settings[1]]
    shown = _table(names, differing) if differing else "<p>Nothing.</p>"
    return (
        f'<section id="settings"><h2>What differs</h2>{shown}<details><summary>Common to all '
        "variants "
        f"({len(common)} keys)</summary>{_table(['key', 'value'], common)}</details></section>"
    )


def runs(report: Report) -> str:
    """Every run and every folder that was left aside."""
    d = report.metric.decimals
    rows = [
        [report.variants[r.variant].name, str(r.seed), r.outcome, wording.number(r.value, d),
         wording.number(r.seconds, 1), r.folder, r.reason]
        for r in report.runs
    ]  # fmt: skip
    header = ["variant", "seed", "state", report.metric.label, "seconds", "folder", "reason"]
    skipped = "".join(
        f"<li><code>{escape(s.folder)}</code>: {escape(s.reason)}</li>" for s in report.skipped
    )
    notes = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
    left = f"<h3>Folders left aside</h3><ul>{skipped}</ul>" if skipped else ""
    said = f"<h3>Decisions</h3><ul>{notes}</ul>" if notes else ""
    return (
        f'<section id="runs"><h2>Runs</h2>{left}{said}<details><summary>All {len(rows)} '
        "runs</summary>"
        f"{_table(header, rows, wrap=(5, 6))}</details></section>"
    )


def origins(report: Report) -> str:
    """Code, versions, hardware and data."""
    rows = [
        [o.name, ", ".join(f"{value} ({n} run{'s' * (n > 1)})" for value, n in o.values)]
        for o in report.origins
    ]
    sources = ", ".join(f"<code>{escape(source)}</code>" for source in report.sources)
    return (
        f'<section id="origins"><h2>Where the numbers come from</h2><p>Read from {sources}.</p>'
        f"{_table(['', ''], rows, wrap=(1,))}</section>"
    )


def _digit_list(found: Iterable[Digit]) -> str:
    items = []
    for digit in found:
        said = ", ".join(
            f"as {cls} by {wording.plural(n, 'run') if place == 0 else n}"
            for place, (cls, n) in enumerate(digit.predictions[:4])
        )
        picture = (
            f'<img alt="test image {digit.index}, a {digit.label}" src="{_png(digit.pixels)}">'
            if digit.pixels
            else ""
        )
        items.append(f"<li>{picture}<b>{digit.label}</b>, image {digit.index}<br>read {said}</li>")
    return f'<ul class="digits">{"".join(items)}</ul>' if items else "<p>None.</p>"


def _png(pixels: bytes) -> str:
    """A grey picture of 28 x 28 as a data address, dark ink on white."""
    rows = b"".join(
        b"\0" + bytes(255 - x for x in pixels[start : start + 28]) for start in range(0, 784, 28)
    )

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", 28, 28, 8, 0, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + data).decode()


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], wrap: Sequence[int] = ()) -> str:
    heads = "".join(f'<th scope="col">{escape(text)}</th>' for text in header)
    body = "".join(
        "<tr>"
        + "".join(
            f'<th scope="row">{escape(text)}</th>' if i == 0
            else f'<td class="wrap">{escape(text)}</td>' if i in wrap
            else f"<td>{escape(text)}</td>"
            for i, text in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )  # fmt: skip
    top = f"<thead><tr>{heads}</tr></thead>" if any(header) else ""
    return f'<div class="scroll"><table>{top}<tbody>{body}</tbody></table></div>'


def _kind(column: Column) -> str:
    return "text" if column.is_text or column.key == "n" else "number"


def _order(column: Column, variant: Variant) -> str:
    value = column.order(variant)
    if isinstance(value, float) and not math.isfinite(value):
        return "" if math.isnan(value) else str(math.copysign(1e308, value))
    return escape(str(value))


_WORDS = ("better", "worse", "equivalent")
