"""Names that a user may give: folders stay where they belong, and no reader of a report obeys."""

import csv
import html.parser
import io
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from rich.console import Console

from mnist_seq.config import ConfigError
from mnist_seq.config.schema import Sweep
from mnist_seq.config.text import is_control
from mnist_seq.notebook import build_report, compose, train_run
from mnist_seq.report.render import markdown, table_csv, terminal
from mnist_seq.report.render.html import render
from mnist_seq.runs.commands import override, quoted
from mnist_seq.runs.folder import RunFolder, find_runs
from mnist_seq.sweep.plan.planner import MAX_NAME, longest_name, run_name
from tests import fuzz
from tests.conftest import clean_env

HOSTILE = [
    "<script>alert(1)</script>", "=cmd|' /C calc'!A0", "+1+1", "-1+1", "@x", "[red]x[/red]",
    "a | b `c` *d* _e_", "[x](javascript:alert(1))", "$(touch pwned)`touch pwned`;touch pwned",
    "-rf", "..", "../../x", "a/b\\c", "'q' \"q\"", "e\u0301 \U0001f389\U0001f469\u200d\U0001f52c",
    "שלום", "x" * 200, "日本" * 66, "a,b", "a=b", "# x", "%s{}", "&amp;", "~", "2026", "null", "!x",
]  # fmt: skip
REFUSED = ["a\nb", "a\x1b[31m", "\u202edlrow", "\x00", "\x85", "\u2028", " x", "x ", "", "y" * 300]
ANY_NAME = st.text(max_size=300) | st.sampled_from([*HOSTILE, *REFUSED])


@settings(max_examples=fuzz.examples(100))
@given(name=ANY_NAME)
def test_a_sweeps_name_is_a_folder_below_outputs_or_refused(name: str) -> None:
    """`sweep.name` becomes a path: `..`, slashes and what no file system takes are refused."""
    field = Sweep.model_fields["name"]
    try:
        TypeAdapter(field.rebuild_annotation()).validate_python(name)
    except ValidationError:
        return
    folder = Path("outputs/sweeps") / name
    assert folder.resolve().parent == Path("outputs/sweeps").resolve()
    assert folder.name == name
    assert len(name.encode()) <= 200
    assert not any(map(is_control, name))


@settings(max_examples=fuzz.examples(100))
@given(values=st.lists(ANY_NAME | st.text(st.characters()), min_size=2, max_size=3, unique=True))
def test_runs_of_different_overrides_have_different_safe_folders(values: list[str]) -> None:
    """One path component, short enough for every file beside it, and never another run's."""
    names = [run_name(("seed=0", f"arm={value}"), ["arm", "seed"]) for value in values]
    names += [run_name((f"arm={values[0]}", f"seed={values[1]}"), ["arm", "seed"])]
    assert len(set(names)) == len(names)
    for name in names:
        assert len(name.encode()) <= MAX_NAME
        assert Path("a/b", name).resolve().parent == Path("a/b").resolve()
        assert not any(map(is_control, name))
        assert not set(name) & set('/\\<>:"|?*`$;&!')
        assert name[-1] not in ". "


@settings(max_examples=fuzz.examples(100))
@given(text=st.text(min_size=1, max_size=40) | st.sampled_from(HOSTILE))
def test_a_printed_override_says_the_same_when_it_is_typed(text: str) -> None:
    """Through a shell, and through Hydra's grammar."""
    (word,) = shlex.split(shlex.join([override("arm", text)]))
    assert OverridesParser.create().parse_override(word).value() == text


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("key", ["arm", "sweep.name", "tracker.project", "tracker.tags"])
def test_names_that_a_terminal_would_obey_are_refused(key: str, name: str) -> None:
    """And the refusal does not send them to the terminal either."""
    value = f"[{quoted(name)}]" if key == "tracker.tags" else quoted(name)
    words = ["tracker=wandb", f"{key}={value}"]
    with pytest.raises(ConfigError) as caught:
        compose(*words)
    assert not any(map(is_control, str(caught.value)))
    assert key in str(caught.value)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of hostile arms, and one folder whose run.json another hand has changed."""
    sweep = tmp_path_factory.mktemp("outputs") / "s <b>|`x`"
    for i, arm in enumerate(["none", *HOSTILE]):
        # Unlike in more than the label, which makes no run of its own
        words = [f"model.hidden={4 + i}", f"arm={quoted(arm)}"]
        config = compose(*fuzz.with_tiny(words))
        assert config.arm == arm
        train_run(config, sweep / run_name(words, ["arm"]))
    changed = RunFolder(sweep / "changed")
    train_run(compose(*fuzz.with_tiny(["seed=1"])), changed.path)
    config = {**changed.record()["config"], "arm": "\x1b[31mred\u202e\x07"}
    changed.update_record(config=config, name="\x1b[31m", config_hash="0" * 64)
    return sweep


class Tags(html.parser.HTMLParser):
    """Names of the elements of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


# A span or block of code ends with as many backticks as it began with
CODE = r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)"


@pytest.mark.slow
def test_reports_show_hostile_names_and_obey_none(sweep: Path) -> None:
    """HTML, Markdown, CSV and the terminal, each read back as its reader would."""
    report = build_report(sweep)
    page = Tags(render(report))
    assert page.found.count("script") == 1  # its own
    assert all(name in page.text for name in HOSTILE)

    lines = markdown.verdict_table(report).splitlines()
    pipes = {len(re.findall(r"(?<!\\)\|", line)) for line in lines}
    assert len(pipes) == 1, "a name parted a row"
    prose = re.sub(CODE, "", markdown.render(report), flags=re.DOTALL)
    assert not re.search(r"(?<!\\)[<\[]", prose), "what Markdown would take for HTML or a link"

    rows = list(csv.reader(io.StringIO(table_csv.render(report))))
    assert len({len(row) for row in rows}) == 1
    for cell in (cell for row in rows for cell in row):
        assert not re.match(r"\s*[=+@]|\s*-(?![\d.]+(e[+-]?\d+)?$)", cell), cell

    console = Console(width=250, file=io.StringIO(), color_system=None)
    terminal.print_report(report, console, has_details=True)
    assert isinstance(console.file, io.StringIO)
    printed = console.file.getvalue()
    assert not any(is_control(c) for c in printed if c != "\n")
    assert "[red]x[/red]" in printed
    assert "\\x1b[31mred" in printed


@pytest.mark.slow
def test_a_sweep_of_hostile_names_runs_is_compared_and_added_to(tmp_path: Path) -> None:
    """The commands that are printed are pasted into a shell, which runs nothing else."""
    name = "a 'b' \"c\" $(touch pwned) `id` \U0001f389 #1 (x)"
    root = "$(touch pwned);`touch pwned`<b>'\"[x],{y}"
    place = tmp_path / "a folder's"
    place.mkdir()

    def run(command: str) -> str:
        command = command.replace("python -m", f"{shlex.quote(sys.executable)} -m", 1)
        done = subprocess.run(
            ["bash", "-c", command], cwd=place, env=clean_env(), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert not done.stderr
        return done.stdout

    words = ["-m", "model.hidden=4,5", f"data.root={quoted(root)}", "sweep.baseline=none"]
    words += [override("sweep.name", name), "data=mnist_5k", "data.limit=64", "data.valid=50"]
    words += ["tracker=none"]
    out = run(f"python -m mnist_seq.train {shlex.join(words)}")
    assert "2 of 2 runs done" in out
    folder = shlex.quote(f"sweep=outputs/sweeps/{name}")
    shown = run(f"python -m mnist_seq.compare {folder} formats=[markdown,csv]")
    (missing,) = re.findall(r"to add it:\n *(.*)$", shown, re.MULTILINE)
    assert "1 of 1 run done" in run(missing)
    runs = {folder.path for folder in find_runs(place)}
    assert len(runs) == 3
    assert {path.parent for path in runs} == {place / "outputs" / "sweeps" / name}
    assert not list(tmp_path.rglob("pwned"))
    assert [path.name for path in tmp_path.iterdir()] == [place.name]
    assert {path.name for path in place.iterdir()} <= {"outputs", "data"}


def test_windows_takes_fewer_characters_of_a_path() -> None:
    """Names become shorter there, and a folder that is too long is refused."""
    folder = Path("C" * 120)
    most = longest_name(folder, longest_path=259 + len(str(Path.cwd())) + 1)
    name = run_name((f"arm={'a' * 150}",), ["arm"], most=most)
    assert len(name) == most == 259 - 120 - 45
    with pytest.raises(ConfigError, match=r"must be shorter: this system takes 259"):
        longest_name(Path("/" + "a" * 230), longest_path=259)
    assert longest_name(folder) == MAX_NAME
