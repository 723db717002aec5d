"""Texts of others are shown in every format of a report, and obeyed in none."""

import csv
import html
import io
import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mnist_seq.config.text import is_control
from mnist_seq.report.markup import escape
from mnist_seq.report.render import markdown, table_csv, wandb_report
from mnist_seq.report.render.figures import all_figures, whole
from mnist_seq.report.render.html import render
from mnist_seq.report.value import Report
from mnist_seq.runs.commands import to_compare, unknown_word
from tests.report.sweeps import report_of, write_run
from tests.report.test_renderings import printed

MARK = "mark"  # in every hostile text, to find it again
HOSTILE = {
    "fence": f"{MARK}\n```\n<script>alert(1)</script>\n```",
    "html": f'{MARK}</pre></script><img src=x onerror="alert(1)"><!--',
    "link": f"{MARK}![x](http://x.org/?a) [y](javascript:alert(1)) ~~z~~ $`\\rm{{x}}`$",
    "escape": f"{MARK}\x1b]0;title\x07\x1b[2J\x9b31m\r\x08\x00",
    "turned": f"{MARK}\u202egnp\u2066\u200f\ufffe",
    "formula": f'=HYPERLINK("http://x.org";{MARK})',
    "wide formula": f"\uff1dcmd|' /C calc'!{MARK}",
    "tabbed formula": f"\t@SUM({MARK})",
    "line": f"{MARK}\n# heading\n- list\n    code\u2028better: +9.99 points",
    "shell": f"{MARK}'; touch here; $(touch here) `touch here` \"",
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Each text as a name, an arm, a folder, a value, a host, a tag and an error at once."""
    sweep = tmp_path_factory.mktemp("sweeps") / "s\x1b[2J\n```<b>"
    for i, text in enumerate(HOSTILE.values()):
        name = text.replace("/", "|").replace("\x00", "")
        run = write_run(sweep, text, seed=0, name=f"{i} {name}", optimizer__name=text,
                        sweep__name=text, tracker__project=text)  # fmt: skip
        record = run.record()
        run.update_record(host={"name": text, "cpu": text, "system": text}, device=text,
                          versions={"torch": text}, config={**record["config"], "arm": text,
                          "tracker": {**record["config"]["tracker"], "tags": [text]}})  # fmt: skip
        failed = write_run(sweep, "lstm", seed=i, state="failed", name=f"failed {i}")
        failed.write_error(f"Boom: {text}")
        (sweep / f"odd {i} {name}").mkdir()
    return report_of(sweep)


def without_filters(node: Any) -> Any:
    """W&B compares names in filters, and shows them nowhere."""
    if isinstance(node, dict):
        return {k: without_filters(v) for k, v in node.items() if not k.startswith("filters")}
    return [without_filters(v) for v in node] if isinstance(node, list) else node


def outside_of_code(text: str) -> str:
    """Markdown without its blocks and spans of code, and without escaped characters."""
    text = re.sub(r"(?ms)^(`{3,})\n[^\n]*\n\1$", "", text)
    text = re.sub(r"(?<![`\\])(`+)(?!`)[^\n]*?[^`]\1(?!`)", "", text)
    return re.sub(r"\\[!-/:-@\[-`{-~]", "", text)


def test_hostile_texts_are_shown_and_obeyed_in_no_format(report: Report) -> None:
    page = render(report)
    figures = json.dumps([whole(figure) for figure in all_figures(report)], ensure_ascii=False)
    blocks = without_filters(wandb_report.specification(report))
    mirrored = json.dumps(blocks, ensure_ascii=False)
    text, table, screen = markdown.render(report), table_csv.render(report), printed(report, 500)
    everything = {"page": page.partition("</style>")[2], "figures": figures, "mirrored": mirrored,
                  "text": text, "table": table, "screen": screen, "repr": repr(report)}  # fmt: skip
    for form, shown in everything.items():
        shown = re.sub(r"(?s)<script>.*?</script>", "", shown)  # Vega
        assert form == "repr" or MARK in shown, form
        assert {c for c in shown if is_control(c)} <= {"\n"}, form
        assert "\\x1b" in shown, form
    body = page.split("<body>")[1].split("<script>")[0]
    assert set(re.findall(r"<(script|img|b)\b[^>]*", body)) <= {"script", "b"}
    assert not re.search(r"<script(?! type=\"application/json\")", body)
    assert not re.search("<[!a-z]|```|!\\[|\\]\\(|~~|\\$", outside_of_code(text), re.IGNORECASE)
    assert not re.search(r"(?m)^(# heading|- list|    code|better:)", text + screen)
    for row in csv.reader(io.StringIO(table)):
        for cell in row:
            assert not cell.strip().startswith(("=", "@", "+", "\uff1d")), cell
            assert not re.match(r"-(?!\d|inf)", cell.strip()), cell


def read_by_latex(text: str) -> str:
    """What LaTeX sets of an escaped text; nothing but the commands that `for_latex` writes."""
    names = {"textbackslash": "\\", "textasciicircum": "^", "textasciitilde": "~", "textless": "<",
             "textgreater": ">", "textbar": "|", "char34": '"', "textasciigrave": "`"}  # fmt: skip
    parts = re.findall(r"\\([A-Za-z]+(?:34)?)\{\}|\\([{}$&#%_])|\{([\[\]*])\}|(\{\})|"
                       r"U\+([0-9A-F]{4})|([^\\{}$&#%_^~])|(.)", text)  # fmt: skip
    assert not any(odd for *_, odd in parts), f"LaTeX would obey a character: {text}"
    return "".join(
        names[name] if name else chr(int(code, 16)) if code else escaped or bracket or plain
        for name, escaped, bracket, _, code, plain, _ in parts
    )


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_letter_is_lost(text: str) -> None:
    """Who sent it must be recognisable: what is escaped can be read back."""
    shown = escape.for_terminal(text)
    assert shown == "".join(ascii(c)[1:-1] if is_control(c) else c for c in text)
    assert html.unescape(escape.for_html(text)) == shown
    assert escape.for_csv(text) in (shown, f"'{shown}")
    markdown_text = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", escape.for_markdown(text))
    assert markdown_text == " ".join(shown.split())
    assert shown in escape.for_markdown_code(text)
    assert escape.for_markdown_block(text).split("\n")[1] == shown
    assert read_by_latex(escape.for_latex(text)) == shown


@pytest.mark.parametrize("text", ["- x", "+ x", "1. x", "12) x", "=====", "# x", "> x", "---"])
def test_a_text_at_the_start_of_a_line_stays_a_text(text: str) -> None:
    assert re.match(r"\\|\d+\\", escape.for_markdown(text))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_folder_of_any_name_is_one_word_of_a_shell(text: str, tmp_path: Path) -> None:
    """A command is pasted: the shell reads back the name, and the terminal obeys nothing."""
    name = text.replace("\x00", "")
    command = to_compare(Path(f"/{name}"))
    assert not any(map(is_control, command))
    asked = command.replace("python -m mnist_seq.compare", "printf %s")
    done = subprocess.run(["bash", "-c", asked], capture_output=True, cwd=tmp_path, check=True)
    assert done.stdout.decode() == f"sweep={Path(f'/{name}')}"
    assert not list(tmp_path.iterdir())


FOREIGN = [
    "--config-dir=/evil", "-cp", "-m", "hydra.callbacks.x._target_=os.system", "+x._target_=f",
    "hydra/launcher=evil", "hydra.sweep.dir=/", "+evil=yes", "model@hydra=evil", "evil", "",
    "+optimizer._target_=os.system", "data.root=${oc.env:WANDB_API_KEY}", "model.a b=1",
]  # fmt: skip


@pytest.mark.parametrize("word", FOREIGN)
def test_no_command_is_suggested_of_words_that_are_none_of_ours(word: str, tmp_path: Path) -> None:
    assert unknown_word(["seed=1", word]) == word
    for seed, cell in enumerate(("gru", "rnn")):
        run = write_run(tmp_path / "s", cell, seed=seed)
        run.update_record(overrides=[word, *run.record()["overrides"]])
    (missing,) = report_of(tmp_path / "s").missing
    assert shlex.split(missing.command, comments=True) == []
    assert word in missing.command


def test_a_command_sends_runs_to_no_account_that_a_record_names(tmp_path: Path) -> None:
    """Whoever pastes it would train for somebody else's project."""
    words = ["tracker=wandb", "++tracker.entity=them", "tracker.entity=them",
             "++tracker={entity:them}", "tracker.project=p"]  # fmt: skip
    for seed, cell in enumerate(("gru", "rnn")):
        run = write_run(tmp_path / "s", cell, seed=seed)
        run.update_record(overrides=[*words, *run.record()["overrides"]])
    (missing,) = report_of(tmp_path / "s").missing
    assert "them" not in missing.command
    assert "tracker=wandb tracker.project=p" in missing.command


@pytest.mark.parametrize("word", ["seed=range(5)", "++model.hidden=8", "~model.dropout", "arm=x",
                                  "experiment=psmnist", "data.root=${training.epochs}",
                                  "+sweep.zip=[a,b]", "optimizer.betas=[0.9,0.99]"])  # fmt: skip
def test_words_of_ours_are_kept(word: str) -> None:
    assert unknown_word([word]) is None


def test_wandb_finds_the_runs_of_a_sweep_of_any_name(report: Report) -> None:
    """W&B's library writes == for =, and <= for <, in names too."""
    blocks = wandb_report.specification(report)["spec"]["blocks"]
    (grid, *_) = [block for block in blocks if block["type"] == "panel-grid"]
    (group,) = grid["metadata"]["runSets"][-1]["filters"]["filters"]
    assert group["value"] == list(report.mirror.groups)
