"""One name of a variant for people: what the answer calls it, every other place calls it too."""

import json
import re

import pytest

from mnist_seq.report.render import html, markdown, report_json
from mnist_seq.report.render.figures import all_figures, whole
from mnist_seq.report.value import Report
from tests.report.sweeps import report_of, write_run
from tests.report.test_renderings import printed, text_of

# A cell as commands write it, where no key, path or command is around it
RAW = re.compile(r"(?<![=\w./\"-])(lstm|gru|rnn)\b(?![-/])|hidden=\d")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Three cells, two widths; the baseline lacks a seed of one width and all of another."""
    sweep = tmp_path_factory.mktemp("names") / "s"
    for seed in range(3):
        for cell in ("lstm", "gru", "rnn"):
            for hidden in (32, 64):
                if (cell, hidden, seed) != ("lstm", 64, 2):
                    state = "diverged" if (cell, seed) == ("rnn", 1) else "finished"
                    accuracy = 0.9 + seed / 100 + len(cell) / 1000
                    write_run(sweep, cell, hidden, seed, accuracy=accuracy, state=state)
        write_run(sweep, "gru", 128, seed, accuracy=0.9 + seed / 50)
    return report_of(sweep, pairs="all", thresholds=(0.9,))


def raw_names(text: str) -> list[str]:
    return [text[max(0, m.start() - 40) : m.end() + 20] for m in RAW.finditer(text)]


def test_no_text_for_people_has_the_name_of_commands(report: Report) -> None:
    assert len(raw_names("the lstm, hidden=32 and gru")) == 3
    assert report.variants[0].name == "lstm, hidden=32"
    assert report.variants[0].label == "LSTM, 32 hidden units"
    assert [m.what for m in report.missing] == [
        "baseline LSTM, 128 hidden units",
        "baseline LSTM, 64 hidden units",
    ]
    page = re.sub(r"<pre hidden.*?</pre>|<code.*?</code>", "", html.render(report), flags=re.S)
    page = re.sub(r'<details id="s-\w+">.*', "", page, flags=re.S)  # values of keys, folders
    text = re.sub(r"```.*?```", "", markdown.render(report), flags=re.S)
    text = text.partition("## What differs")[0].replace("\\", "")
    figures = json.dumps([whole(figure) for figure in all_figures(report)], ensure_ascii=False)
    said = [line for line in printed(report, 120).splitlines() if "python -m" not in line]
    for found in (text_of(page), text, "\n".join(said), figures.replace('"cell": "', "")):
        assert raw_names(found) == []


def test_programs_get_both_names(report: Report) -> None:
    variant = json.loads(report_json.render(report))["variants"][1]
    assert (variant["variant"], variant["label"]) == ("gru, hidden=32", "GRU, 32 hidden units")
