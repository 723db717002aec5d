"""A paper says what the runs say: its table, its methods, and the check of its numbers."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from mnist_seq.config.errors import ConfigError
from mnist_seq.report import keys
from mnist_seq.report.paper import document, figures, numbers
from mnist_seq.report.paper.check import Checked, check, summary
from mnist_seq.report.paper.drawing import width_of
from mnist_seq.report.render import report_json
from mnist_seq.report.render.files import write
from mnist_seq.report.sections.methods import Methods
from mnist_seq.report.texts import fmt, words
from mnist_seq.report.value import Report
from tests.report.sweeps import report_of, write_run
from tests.report.test_escape import HOSTILE

ASKED = document.Asked("cells", command="python -m mnist_seq.compare sweep='a b'")


@pytest.fixture(scope="module")
def report(grid: Path) -> Report:
    return report_of(grid, margin=0.1)


def tex(report: Report, spread: str = "sd") -> str:
    asked = replace(ASKED, spread=spread)  # type: ignore[arg-type]
    return document.render(report, Methods.of(report), asked)


def checked(text: str, report: Report, folder: Path) -> Checked:
    (folder / "paper.tex").write_text(text)
    found = numbers.numbers(report, Methods.of(report))
    return check(folder / "paper.tex", "cells", found)


def faults(text: str, report: Report, folder: Path) -> list[str]:
    return [f"{fault.line}: {fault.text}" for fault in checked(text, report, folder).faults]


def row_of(text: str, name: str) -> str:
    (row,) = [line for line in text.splitlines() if f"cells/{name}:" in line]
    return row


def caption_of(report: Report) -> str:
    text = re.sub(r" % mnist_seq.*", "", tex(report))
    return " ".join(text.partition("caption{%")[2].partition("\n  }")[0].split())


@pytest.mark.parametrize("spread", ["sd", "interval", "none"])
def test_the_table_has_the_numbers_of_the_report(report: Report, spread: str) -> None:
    d = words.decimals_of(report)
    text = tex(report, spread)
    for v in report.variants:
        row = row_of(text, numbers.slugs(report)[v.key])
        assert f"{v.mean:.{d}f}" in row
        assert (f"{v.sd:.{d}f}" in row) is (spread == "sd")
        assert ("\\textbf" in row) is (words.verdict(v) in ("better", "worse"))
        assert words.verdict(v) in row
    assert r"\toprule" in text
    assert "|" not in re.sub("%.*", "", text), "booktabs has no vertical rules"


def test_the_caption_says_n_test_correction_data_and_budget(report: Report) -> None:
    text = caption_of(report)
    for part in (
        "on MNIST (55,000 training examples, 50 updates)",
        "over 5 seeds",
        r"two-sided paired $t$-test, adjusted by Holm's method for 4 comparisons",
        r"95\,\% $t$-interval",
        "holds for one look at this number of seeds",
        "the adjusted $p$ is below 0.05 and the interval leaves out 0",
        "Equivalent: two one-sided tests at 0.05 show a difference below 0.1 points",
    ):
        assert part in text, text  # fmt: skip


def test_a_withheld_verdict_is_explained_and_not_bold(tmp_path: Path) -> None:
    for seed in range(4):
        write_run(tmp_path / "s", seed=seed, accuracy=0.9 + seed / 1000)
        state = "diverged" if seed > 2 else "finished"
        write_run(tmp_path / "s", "gru", seed=seed, accuracy=0.95 + seed / 900, state=state)
    report = report_of(tmp_path / "s")
    assert report.variants[1].word == "withheld"
    row, caption = row_of(tex(report), "gru"), caption_of(report)
    assert "withheld" in row
    assert "\\textbf" not in row
    assert "($n=3$)" in row
    assert "withheld: runs diverged or failed, and the verdict is another one" in caption
    assert "GRU (1 diverged)" in caption


def test_e_values_and_waiting_verdicts_are_said(report: Report) -> None:
    """A reader must not take an anytime-valid p for that of a t-test."""

    def as_kind(kind: str, word: str = "") -> Report:
        variants = tuple(
            replace(v, word=word or v.word, compared=v.compared and replace(v.compared, kind=kind))
            for v in report.variants
        )  # type: ignore[arg-type]
        return replace(report, variants=variants)

    text = caption_of(as_kind("anytime"))
    assert "anytime-valid, 1 / (largest e-value" in text
    assert "confidence sequence" in text
    assert "-test" not in text.partition("Bold")[0]
    assert "at the number of seeds that was planned" in caption_of(as_kind("planned"))
    waiting = caption_of(as_kind("one look", "so far"))
    assert "So far: runs of the sweep are not done" in waiting
    assert "Bold" not in waiting


def test_methods_and_repetition_name_what_they_rest_on(report: Report) -> None:
    text = tex(report)
    for part in (
        "We compared the GRU and the RNN with the LSTM, each with 32 and with 64 hidden",
        "5 seeds (0 to 4)",
        "batches of 64",
        "learning rate 0.01",
        "PyTorch 2.13.0",
        "commit cccccccccccc",
        "fingerprint ffffffffffffffff",
        "4: 000000000000",
        "55,000 training, 5,000 validation and 400 test examples",
        "30 runs, 1\\,min 15\\,s of training in all",
    ):
        assert part in text  # fmt: skip
    assert "the initial weights and the order of the training examples, so that runs of" in text
    assert "here" not in re.findall(r"Compute\] (.*)", text)[0].split(), "a host's name is private"


def test_a_changed_number_is_found_by_its_line(report: Report, tmp_path: Path) -> None:
    text = tex(report)
    assert faults(text, report, tmp_path) == []
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if "cells/rnn-hidden-64:" in line)
    mean = f"{report.variants[-1].mean:.{words.decimals_of(report)}f}"
    lines[at] = lines[at].replace(mean, "12.34").replace("worse", "better")
    found = faults("\n".join(lines), report, tmp_path)
    assert [f.partition(" the paper")[0] for f in found] == [
        f"{at + 1}: rnn-hidden-64, verdict: the runs say worse, and",
        f"{at + 1}: rnn-hidden-64, mean:",
    ]
    assert f"the paper says 12.34, the runs say {report.variants[-1].mean:.6g}" in found[1]


@pytest.mark.parametrize(
    "options",
    [
        {"correction": "none", "where": "model=lstm,gru model.hidden=32"},
        {"correction": "bh", "test": "permutation", "baseline": "model=gru model.hidden=64"},
        {"metric": "test/loss", "level": 0.9, "pairs": "all"},
        {"where": "model=lstm model.hidden=32"},
        {"where": "seed=0"},
        {"over": ("model.hidden",)},
    ],
    ids=str,
)
@pytest.mark.parametrize("spread", ["sd", "interval"])
def test_what_is_written_passes_its_own_check(
    options: dict[str, Any], spread: str, grid: Path, tmp_path: Path
) -> None:
    report = report_of(grid, **options)
    text = tex(report, spread) + numbers.render(report, Methods.of(report), "cells")
    assert faults(text, report, tmp_path) == []
    assert "nan" not in text


def test_numbers_of_new_runs_are_found(report: Report, grid: Path, tmp_path: Path) -> None:
    """What the check is for: seeds were added after the table was pasted."""
    fewer = report_of(grid, where="seed=0,1,2", margin=0.1)
    found = "\n".join(faults(tex(fewer), report, tmp_path))
    assert "all, num_seeds: the runs say 5, and the text does not" in found
    uneven = report_of(grid, where="seed=0,1,2", margin=0.1)
    some = replace(uneven.variants[0], n=2)
    uneven = replace(uneven, variants=(some, *uneven.variants[1:]))
    assert "all, n_all: the runs have 2 to 3" in "\n".join(faults(tex(fewer), uneven, tmp_path))
    assert re.search("gru-hidden-32, difference_low: the paper says .*, the runs say", found)


def test_columns_and_words_around_a_number_are_free(report: Report, tmp_path: Path) -> None:
    v = report.variants[-1]
    assert v.compared is not None
    size = abs(v.compared.comparison.difference)
    text = (
        f"RNN & {v.num_params:,.0f} & \\textbf{{$-${size:.1f}}} \\\\ "
        "% mnist_seq cells/rnn-hidden-64: mean difference num_params\n\n"
        f"The RNN with 64 units\nis about {size:.0f} points\nworse (see 2024).\n"
        "% mnist_seq cells/rnn-hidden-64: difference verdict\n"
        "Nothing is said here of 99.9 points.\n% 12 points % a comment\n"
        "Of gates: 7 % mnist_seq gates/cifg: difference\n"
    )
    found = checked(text, report, tmp_path)
    assert (found.faults, found.num, found.others) == ([], 5, {"gates": 1})
    assert summary(found, Path("p"), "cells") == [
        "not compared: 1 number of gates", "p: 5 numbers of cells, all are those of the runs"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("5.4 % mnist_seq cells/mgu: mean", "mgu: the runs have no variant of this name"),
        ("5.4 % mnist_seq cells/all: sd", "all, sd: the runs have no such number"),
        ("% mnist_seq cells/all: level", "nothing stands before this one"),
        ("\\seq{cells/gru/mean}", "cells/gru/mean: the runs have no number of this name"),
        ("\\seqvalue{cells/all/level}{90}", "cells/all/level: the paper says 90, the runs say 95"),
        ("A & 1 & 7 \\\\ % mnist_seq cells/all: level", "level: the paper says 1, the runs say 95"),
        ("p $<$ 0.001 % mnist_seq cells/all: alpha", "alpha: the runs say 0.05"),
    ],
)
def test_each_kind_of_fault_has_its_line(
    text: str, says: str, report: Report, tmp_path: Path
) -> None:
    assert says in faults(text, report, tmp_path)[0]


def test_macros_are_checked_where_the_paper_reads_them(report: Report, tmp_path: Path) -> None:
    text = numbers.render(report, Methods.of(report), "cells")
    (tmp_path / "numbers.tex").write_text(text.replace("{95}", "{99}"))
    found = checked("\\input{numbers} \\seq{cells/all/level}\n\\input{gone}", report, tmp_path)
    assert [fault.file.name for fault in found.faults] == ["numbers.tex"]
    assert found.missing == ["gone"]
    assert found.num > 100
    assert "not read, since it is not there: gone" in summary(found, Path("p"), "cells")


def test_a_paper_without_marks_is_said_in_one_line(report: Report, tmp_path: Path) -> None:
    found = checked("88.0 % a comment\nx % mnist_seq gates/all: level", report, tmp_path)
    with pytest.raises(ConfigError, match=r"has none \(1 number of gates\); take the") as error:
        summary(found, tmp_path / "paper.tex", "cells")
    assert "\n" not in str(error.value)


def test_other_questions_have_other_names() -> None:
    """A paper may quote a sweep by accuracy and by loss; one check is for one of them."""
    assert keys.name_of("my cells", {}) == "my-cells"
    asked = {"metric": "test/loss", "over": ["optimizer.lr"], "alpha": 0.05, "out": "x"}
    assert keys.name_of("cells", asked) == "cells-metric-test-loss-over-optimizer.lr"
    command = keys.command_of([Path("/home/me/cells"), Path("b c")], asked)
    assert "/home/me" not in command
    assert "'sweep=[cells,b c]' metric=test/loss 'over=[optimizer.lr]'" in command


def test_the_json_has_every_number(report: Report, tmp_path: Path) -> None:
    found = json.loads(report_json.render(report))
    assert found["format"] == report_json.FORMAT
    assert set(found["sections"]) == set(report.parts)
    for v, own in zip(report.variants, found["variants"], strict=True):
        assert own["mean"] == v.mean
        assert own["difference"] == (v.compared and v.compared.comparison.difference)
        assert [run["seed"] for run in own["runs"]] == list(v.seeds)
    write_run(tmp_path / "s", state="failed", name="x\x1b[2J")
    empty = report_json.render(report_of(tmp_path / "s"))
    assert "NaN" not in empty
    assert "\x1b" not in json.loads(empty)["variants"][0]["runs"][0]["folder"]


def test_figures_are_as_wide_as_one_column_and_as_two(report: Report) -> None:
    svgs = figures.drawn(report)
    assert set(svgs) == set(figures.NAMES)
    for name, svg in svgs.items():
        root = ElementTree.fromstring(svg)
        width = figures.WIDTHS[name.partition("-")[2]]
        assert root.get("width") == f"{width:g}pt"
        assert "nan" not in svg
        for text in (e for e in root.iter() if e.tag.endswith("text")):
            x, wide = float(str(text.get("x"))), width_of(str(text.text), 5)
            left = {"start": x, "middle": x - wide / 2, "end": x - wide}[
                str(text.get("text-anchor"))
            ]
            assert left >= -1, text.text
            assert left + wide <= width + 1, text.text
    texts = "".join(ElementTree.fromstring(svgs["forest-column"]).itertext())
    for v in report.variants:
        if v.compared:
            assert fmt.signed(v.compared.comparison.difference, words.decimals_of(report)) in texts


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="needs pdflatex; .ci/run installs it")
def test_it_compiles_and_obeys_no_name(report: Report, tmp_path: Path) -> None:
    """With the macros in the text, and with hostile names in table, methods and lists."""
    own = tmp_path / "own"
    for i, text in enumerate(HOSTILE.values()):
        write_run(own, f"{text} 中é", seed=0, name=f"run {i}", optimizer__name=text)
        write_run(own, "lstm", seed=i, name=f"base {i}")
    hostile = report_of(own, baseline="auto")
    body = r"\input{numbers} It is \seq{cells/all/level}."
    write(report, tmp_path, formats=["latex"], paper=ASKED)
    assert (tmp_path / "figures" / "forest-page.pdf").read_bytes().startswith(b"%PDF")
    texts = {"cells": (tmp_path / "report.tex").read_text(), "hostile": tex(hostile),
             "wide": tex(report, "interval")}  # fmt: skip
    for name, text in texts.items():
        text = text.replace("\\end{document}", f"{body}\\end{{document}}")
        (tmp_path / f"{name}.tex").write_text(text)
        done = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", name],
            cwd=tmp_path, capture_output=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout.decode("latin-1")[-2000:]
        log = (tmp_path / f"{name}.log").read_text("latin-1")
        assert "Undefined" not in log
        assert "No number is called" not in log
        if name != "hostile":
            assert "Overfull" not in log
