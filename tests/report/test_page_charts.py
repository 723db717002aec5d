"""What the page draws: colours that can be read, names beside their own marks, sizes that stay."""

import html
import itertools
import math
import re
from pathlib import Path

import numpy as np
import pytest

from mnist_seq.report.charts import style
from mnist_seq.report.charts.extent import extent, is_cut
from mnist_seq.report.charts.page import scatter
from mnist_seq.report.charts.page.along import At, along
from mnist_seq.report.charts.page.axis import Axis, log_ticks, ticks
from mnist_seq.report.charts.page.multiples import Frame, Series, figure
from mnist_seq.report.paper import document
from mnist_seq.report.paper.document import Asked
from mnist_seq.report.render.html import render
from mnist_seq.report.sections.methods import Methods
from mnist_seq.report.texts import fmt, words
from mnist_seq.report.value import Point
from tests.report.sweeps import report_of, write_run


def contrast(a: str, b: str) -> float:
    """WCAG contrast of two #rrggbb colours."""
    light = sorted(luminance(color) for color in (a, b))
    return (light[1] + 0.05) / (light[0] + 0.05)


def luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1])
def test_marks_and_texts_stand_out_from_the_ground(scheme: int) -> None:
    token = {name: both[scheme] for name, both in style.TOKENS.items()}
    for kind in ("baseline", "undecided", "worse", "better", "equivalent"):
        assert contrast(token[kind], token["bg"]) >= 3
        assert contrast(token[f"{kind}-text"], token["bg"]) >= 4.5
    for ground in ("bg", "panel", "warn-bg", "fail-bg"):
        assert contrast(token["ink"], token[ground]) >= 4.5
    assert contrast(token["soft"], token["panel"]) >= 4.5


@pytest.mark.parametrize("num", [9, 36])
def test_a_name_never_stands_at_anothers_mark(num: int) -> None:
    """Nine arms of a study, and the variants of a grid of 6 x 6, some of them on one spot."""
    rng = np.random.default_rng(num)
    xs = np.repeat(rng.uniform(30, 300, num // 3), 3)
    points = [(float(x), float(y), f"arm number {i}") for i, (x, y) in
              enumerate(zip(xs, rng.uniform(30, 220, num), strict=True))]  # fmt: skip
    marks = [(x - 8, y - 8, x + 8, y + 8) for x, y, _ in points]
    found = scatter.placed(points, marks)
    boxes = [
        scatter._box(x + place.dx, y + place.dy, text, place.anchor)
        for (x, y, text), place in zip(points, found, strict=True)
        if place.is_shown
    ]
    assert len(boxes) >= 6
    for i, box in enumerate(boxes):
        assert not any(scatter._touch(box, other) for other in (*marks, *boxes[i + 1 :]))
        assert box[0] >= 0
        assert box[2] <= scatter.WIDTH


def test_seeds_of_one_variant_are_a_table_without_empty_columns(tmp_path: Path) -> None:
    for seed in range(3):
        write_run(tmp_path / "s", seed=seed, accuracy=0.9 + seed / 100)
    page = render(report_of(tmp_path / "s"))
    assert 'class="answer' not in page
    answer = page[page.index('<section id="answer"') : page.index('id="answer-csv"')]
    assert '<th scope="row">LSTM</th>' in answer
    assert "91" in answer
    assert "Verdict" not in answer


def test_a_whisker_of_two_seeds_leaves_the_means_to_be_seen() -> None:
    wide = [scatter.Item(x, y, y - 90, y + 90, "a", "", "undecided") for x, y in ((1, 20), (2, 30))]
    drawn = scatter.chart(wide, x_text=str, unit="", description="two marks")
    tops = [float(y) for y in re.findall(r'<text class="yt" x="0%" y="([\d.]+)"', drawn)]
    assert len(tops) >= 3
    assert ">100<" not in drawn
    assert ">\N{MINUS SIGN}50<" not in drawn


def test_of_many_marks_those_at_the_front_are_named_before_others() -> None:
    """A name for each of 36 marks finds no room; which are left out must not be chance."""
    rng = np.random.default_rng(1)
    spots = [(x, y) for x, y in rng.random((36, 2)) * (scatter.WIDTH, scatter.HEIGHT)]
    taken = [(x - 8, y - 8, x + 8, y + 8) for x, y in spots]
    names = [(x, y, f"variant {i}") for i, (x, y) in enumerate(spots)]
    plain = scatter.placed(names, taken)
    hidden = [i for i, place in enumerate(plain) if not place.is_shown]
    first = next(i for i in hidden if scatter.placed([names[i]], taken)[0].is_shown)
    assert scatter.placed(names, taken, first={first})[first].is_shown


def test_marks_of_two_families_never_have_one_name(tmp_path: Path) -> None:
    """Sixteen units at two learning rates are two marks."""
    for hidden, lr in itertools.product((8, 16), (0.01, 0.1)):
        for cell in ("lstm", "gru"):
            write_run(tmp_path / "s", cell, hidden, accuracy=0.9, optimizer__lr=lr)
    report = report_of(tmp_path / "s")
    names = words.short_names(report, report.variants)
    assert len(set(names.values())) == 8
    assert "GRU 16, lr=0.01" in names.values()


def test_a_search_with_many_values_has_round_ticks() -> None:
    values = [0.0678772, 0.218806, 0.12828, 0.00164373, 0.0204238, 0.29, 0.05, 0.0011, 0.07]
    points = {"": [At(x, 1.0, math.nan, math.nan, "undecided", "") for x in values]}
    drawn = along(points, {x: fmt.plain(x) for x in values}, "%", "trials")
    assert "0.0678772" not in drawn
    assert ">0.01<" in drawn


def test_the_table_in_latex_is_that_of_report_tex(grid: Path) -> None:
    report = report_of(grid)
    asked = Asked("made_up")
    found = re.search(r'<pre hidden id="answer-tex">(.*?)</pre>', render(report, asked), re.S)
    assert found
    table = html.unescape(found[1]).removeprefix("% needs booktabs\n")
    assert table.startswith("\\begin{table}")
    assert table in document.render(report, Methods.of(report), asked)


def test_axes_have_round_values_within_their_ends() -> None:
    assert ticks(-12.3, 7.9, 6) == [-10, -5, 0, 5]
    assert ticks(93.2, 97.9, 5) == [94, 95, 96, 97]
    assert log_ticks(0.02, 30, 6) == [0.1, 1, 10]
    assert log_ticks(2000, 9000, 6) == [2000, 3000, 5000, 7000]
    axis = Axis.over([5.0, 5.0])
    assert 0 < axis.at(5.0) < 1
    assert Axis.over([1.0, 100.0], is_log=True).at(10.0) == pytest.approx(0.5)


def test_the_top_of_the_page_is_the_answer(grid: Path) -> None:
    """What was found, by how much, on what data, how sure: before any other section."""
    page = render(report_of(grid, margin=0.1))
    top = re.sub("<[^>]+>", " ", page[page.index("<header>") : page.index('id="learning_curves"')])
    for text in (
        "The GRU is 0.39 to 0.44 points better than the LSTM.",
        "The RNN is 4.95 to 5.00 points worse than the LSTM.",
        "MNIST, read by rows", "55,000 examples", "5, paired", "30 of 30 finished", "1 Jan 2026",
        "32 hidden units", "64 hidden units", "+0.44", "p", "worse", "better",
    ):  # fmt: skip
        assert text in top, text
    answer = page[page.index('class="answer"') : page.index('class="key"')]
    assert answer.count('class="seed"') == 4 * 5, "each seed of each comparison is a dot"
    assert answer.count('class="mean"') == 4


def test_a_panel_says_what_its_arm_is_and_draws_no_legend(tmp_path: Path) -> None:
    for arm in ("none", "NIG"):
        for seed in range(2):
            words = {} if arm == "none" else {"input_gate": False}
            run = write_run(
                tmp_path / "s", seed=seed, accuracy=0.9 + seed / 50, name=f"{arm}{seed}"
            )
            record = run.record()
            config = {
                **record["config"],
                "arm": arm,
                "model": {**record["config"]["model"], **words},
            }
            run.update_record(config=config, config_hash=f"{arm}{seed}",
                              overrides=[f"arm={arm}", f"seed={seed}"])  # fmt: skip
    (tmp_path / "s/multirun.yaml").write_text(
        "hydra: {runtime: {choices: {ablation: lstm_gates}}}\nablation:\n"
        "  labels: {NIG: no input gate}\n"
    )
    page = render(report_of(tmp_path / "s"))
    curves = page[page.index('id="learning_curves"') : page.index('id="predictions"')]
    assert '<span class="pt v">NIG</span> <span class="pt b">LSTM</span>' in curves
    assert '<span class="pn">no input gate</span>' in curves
    assert curves.count('role="img"') == 1
    assert "study lstm_gates" in page


def test_curves_that_are_not_finite_or_single_are_drawn(grid: Path) -> None:
    report = report_of(grid)
    nan = float("nan")
    series = {
        0: Series([Point(1, 5.0, nan, nan)]),
        1: Series([Point(1, nan, nan, nan), Point(2, 3.0, 2.0, 4.0)]),
        2: Series([]),
    }
    drawn = figure(report, series, Frame("updates", "%", str))
    assert "nan" not in drawn
    assert drawn.count('class="panel') == 2


def test_nobody_reached_a_threshold_is_one_sentence(grid: Path) -> None:
    page = render(report_of(grid, thresholds=(0.999,)))
    section = page[page.index('id="thresholds"') : page.index('id="predictions"')]
    assert "No run reached 99.9\u202f% valid accuracy." in section
    assert "<table" not in section
    assert "∞" not in section


@pytest.mark.slow
def test_a_page_of_200_runs_is_small(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for hidden in (16, 32, 64, 128, 256):
        for cell in ("lstm", "gru", "rnn", "mgu"):
            for seed in range(10):
                write_run(tmp_path / "s", cell, hidden, seed, num_evaluations=60,
                          accuracy=round(0.9 + rng.random() / 20, 4))  # fmt: skip
    assert len(render(report_of(tmp_path / "s"))) < 1_000_000


def test_two_seeds_of_many_variants_leave_an_axis_on_which_seeds_are_seen(tmp_path: Path) -> None:
    """An interval for all comparisons of 2 seeds is twenty times as wide as one alone."""
    for seed in range(2):
        for hidden in (8, 16, 24, 32):
            for cell in ("lstm", "gru", "rnn"):
                loss = (hidden % 3 + len(cell)) * seed / 500
                write_run(tmp_path / "s", cell, hidden, seed, accuracy=0.9 - loss)
    report = report_of(tmp_path / "s")
    found = [v.compared for v in report.variants if v.compared]
    ends = [end for c in found for end in (c.comparison.interval.low, c.comparison.interval.high)]
    low, high = extent(report.variants)
    assert is_cut(report.variants)
    assert high - low <= 3.001 * (max(*ends, 0.0) - min(*ends, 0.0))
    page = render(report)
    assert "A thin bar that ends at an edge goes on." in page
    (grid,) = {f.line(v) for f in words.families(report) for v in f.variants if v.cell == "gru"}
    assert grid == "GRU, "


def test_names_keep_off_the_ticks_and_marks_that_touch_say_a_name_once() -> None:
    spots = [(1.0, 20.0, "NIG"), (1.08, 20.0, "FGR"), (2.0, 10.0, "GRU 8"), (2.0, 10.0, "GRU 8")]
    items = [scatter.Item(x, y, math.nan, math.nan, n, "", "undecided") for x, y, n in spots]
    drawn = scatter.chart(items, x_text=str, unit="", description="four marks")
    assert drawn.count("GRU 8") == 1
    (tick,) = re.findall(r'y="([\d.]+)"[^>]*>20<', drawn)
    (own,) = re.findall(r'y="([\d.]+)"[^>]*>NIG<', drawn)
    assert abs(float(own) - float(tick)) > 12


def test_a_seed_that_diverged_is_a_cross_at_the_worse_edge(tmp_path: Path) -> None:
    for cell in ("lstm", "rnn"):
        for seed in range(4):
            state = "diverged" if (cell, seed) == ("rnn", 2) else "finished"
            write_run(tmp_path / "s", cell, seed=seed, accuracy=0.9 + seed / 99, state=state)
    page = render(report_of(tmp_path / "s"))
    assert page.count('class="lost"') == 2  # in its row, and in the key
    assert "at the edge: seeds diverged" in page
