"""Draws the figures of docs/statistics.md from looks_results.json, and prints its tables.

    python benchmarks/looks_figures.py

`tests/test_docs.py` holds the figures and the tables to the results.
"""

import json
import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("looks_results.json")
FIGURES = Path(__file__).parents[1] / "docs" / "figures"
FIRST, LAST, CAP = 3, 30, 20
SOURCES, ARMS = ("Gaussian", "real runs"), (1, 4, 8)
MODES = {"one look": "t-test", "planned 10": "planned 10", "anytime": "e-value"}
COLORS = {"one look": "#d55e00", "planned 10": "#009e73", "anytime": "#0072b2"}  # Okabe-Ito
DASHES = {1: "", 4: "6 3", 8: "2 3"}
STUDIES = {  # and the arms with big effects
    "d_z 3, 4, 0, 0, 0, .1, .2, .3": ("arm0", "arm1"),
    "d_z 1, 1.5, and six of 0": ("arm0", "arm1"),
    "lstm_gates": ("arm3", "arm1"),
}
RULES = {"until decided": "until decided", "planned 10": "t-test at 10 seeds",
         f"planned {CAP}": f"t-test at {CAP} seeds"}  # fmt: skip
INK, FAINT = "#333333", "#bbbbbb"


def main() -> None:
    """Write all figures and print all tables."""
    results = json.loads(RESULTS.read_text())
    FIGURES.mkdir(exist_ok=True)
    for name, text in figures(results).items():
        (FIGURES / name).write_text(text)
    print("\n".join([*rate_rows(results), "", *study_rows(results)]))


def figures(results: Mapping[str, Any]) -> dict[str, str]:
    """File name -> SVG."""
    return {"looks.svg": looks_figure(results), "until_decided.svg": until_figure(results)}


def rate_rows(results: Mapping[str, Any]) -> list[str]:
    """Rows of the table of false calls."""
    rows = []
    for source in SOURCES:
        for m in ARMS:
            cells = [results.get(f"{source}, {m} arms, {mode}", {}) for mode in MODES]
            rows.append(f"| {source} | {m} | {' | '.join(map(rate, cells))} |")
    return rows


def rate(cell: Mapping[str, Any]) -> str:
    """Share of studies with a false call, its standard error and their number."""
    if not (n := cell.get("studies", 0)):
        return "not run"
    share = sum(cell.get("first_called", {}).values()) / n
    error = math.sqrt(share * (1 - share) / n)
    return f"{decimals(share)} ({decimals(error)}; {n:,})"


def study_rows(results: Mapping[str, Any]) -> list[str]:
    """Rows of the table of runs and power."""
    rows = []
    for name, big in STUDIES.items():
        cell = results.get(name, {})
        for rule, words in RULES.items():
            if rule in cell:
                n, sums = cell["studies"], cell[rule]
                called = ", ".join(decimals(sums["called"].get(arm, 0) / n, 2) for arm in big)
                equal = "" if name == "lstm_gates" else decimals(sums["equal_called"] / n)
                head = f"{name} ({n:,} studies)" if rule == "until decided" else ""
                runs = f"{sums['runs'] / n:.0f}"
                rows.append(f"| {head} | {words} | {called} | {equal} | {runs} |")
    return rows


def decimals(value: float, num: int = 3) -> str:
    """A share without its leading 0: ".024"."""
    text = f"{value:.{num}f}"
    return text.removeprefix("0") if value < 1 else text


def looks_figure(results: Mapping[str, Any]) -> str:
    """False-call rate against the number of seeds at which was looked so far."""
    width, height, left, top = 340, 250, 45, 40
    highest = 0.4
    parts: list[str] = []
    for place, source in enumerate(SOURCES):
        x0 = left + place * (width + 40)

        def x(n: float, x0: float = x0) -> float:
            return x0 + (n - FIRST) / (LAST - FIRST) * (width - 70)

        def y(share: float) -> float:
            return top + height * (1 - share / highest)

        title = {"Gaussian": "Gaussian differences", "real runs": "differences of real runs"}
        parts.append(label(x0, top - 14, title[source], weight="bold"))
        for share in (0.0, 0.1, 0.2, 0.3, 0.4):
            parts.append(line([(x(FIRST), y(share)), (x(LAST), y(share))], FAINT, width=0.5))
            if place == 0:
                parts.append(label(x0 - 8, y(share) + 4, f"{share:.0%}", anchor="end"))
        parts.append(line([(x(FIRST), y(0.05)), (x(LAST), y(0.05))], INK, dash="1 3"))
        parts += [label(x(n), top + height + 16, str(n), anchor="middle") for n in (3, 10, 20, 30)]
        ends: list[tuple[float, str, str]] = []
        for mode, words in MODES.items():
            for m in ARMS if mode != "planned 10" else (1,):
                cell = results.get(f"{source}, {m} arms, {mode}", {})
                if cell.get("studies", 0) < 50:
                    continue
                called = {int(n): k for n, k in cell.get("first_called", {}).items()}
                shares = [
                    sum(k for at, k in called.items() if at <= n) / cell["studies"]
                    for n in range(FIRST, LAST + 1)
                ]
                points = [(x(n), y(s)) for n, s in zip(range(FIRST, LAST + 1), shares, strict=True)]
                parts.append(line(points, COLORS[mode], dash=DASHES[m], width=1.8))
                arms = f", {m} arm{'s' if m > 1 else ''}" if mode != "planned 10" else ""
                ends.append((y(shares[-1]), f"{words}{arms}", COLORS[mode]))
        for at, text, color in apart(ends):
            parts.append(label(x(LAST) + 5, at + 4, text, color=color, size=10))
    parts.append(label(left, top + height + 36, "seeds so far; somebody looks after each seed"))
    return svg(left + 2 * (width + 40), top + height + 48, "Equals called different", parts)


def until_figure(results: Mapping[str, Any]) -> str:
    """Mean number of runs of each rule, with its power."""
    left, top, bar, full = 130, 30, 18, 300
    parts: list[str] = []
    at = top
    for name, big in STUDIES.items():
        cell = results.get(name, {})
        if not cell.get("studies"):
            continue
        words = "real runs of lstm_gates: no input gate, no output activation"
        parts.append(label(10, at + 8, words if name == "lstm_gates" else name, weight="bold"))
        at += 16
        for rule, title in RULES.items():
            sums, n = cell[rule], cell["studies"]
            runs = sums["runs"] / n
            color = COLORS["anytime"] if rule == "until decided" else FAINT
            size = full * runs / (CAP * 9)
            parts.append(f'<rect x="{left}" y="{at}" width="{size:.1f}" height="{bar - 4}" '
                         f'fill="{color}"/>')  # fmt: skip
            parts.append(label(left - 6, at + 11, title, anchor="end"))
            called = " and ".join(decimals(sums["called"].get(arm, 0) / n, 2) for arm in big)
            parts.append(label(left + size + 6, at + 11, f"{runs:.0f} runs, called {called}"))
            at += bar
        at += 14
    return svg(640, at, "Runs and power", parts)


def apart(ends: Sequence[tuple[float, str, str]]) -> list[tuple[float, str, str]]:
    """Labels at the ends of lines, moved so that none covers another."""
    found: list[tuple[float, str, str]] = []
    for at, text, color in sorted(ends):
        found.append((max(at, found[-1][0] + 11) if found else at, text, color))
    over = max(0.0, found[-1][0] - 286) if found else 0.0
    moved = [(min(at, 286 - 11 * (len(found) - 1 - i)), t, c) for i, (at, t, c) in enumerate(found)]
    return moved if over else found


def line(
    points: Sequence[tuple[float, float]], color: str, *, dash: str = "", width: float = 1.0
) -> str:
    """A polyline."""
    text = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<polyline points="{text}" fill="none" stroke="{color}" stroke-width="{width}"{dashes}/>'
    )


def label(
    x: float, y: float, text: str, *, anchor: str = "start", color: str = INK, size: int = 11,
    weight: str = "normal",
) -> str:  # fmt: skip
    """A text."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}" font-size="{size}" '
        f'font-weight="{weight}">{escape(text)}</text>'
    )


def svg(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    """A drawing on white, so that it can be read on dark pages too."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" font-family="sans-serif">'
    )
    back = f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>'
    return "\n".join([head, f"<title>{title}</title>", back, *parts, "</svg>\n"])


if __name__ == "__main__":
    main()
