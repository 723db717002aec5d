"""One way to write numbers and words, for the page, LaTeX, the terminal and figures."""

import math
import re
from pathlib import Path

import pytest

from mnist_seq.report.paper import statistics
from mnist_seq.report.read.asked import asked_of
from mnist_seq.report.render import html, markdown, table_csv
from mnist_seq.report.texts import fmt, words
from mnist_seq.report.texts.headline import headline
from mnist_seq.report.texts.notices import notices
from tests.report.sweeps import report_of, write_run
from tests.report.test_renderings import printed


def test_numbers_are_written_by_the_rules() -> None:
    thin = fmt.THIN
    assert fmt.signed(-2.345, 1) == "\N{MINUS SIGN}2.3"
    assert [fmt.signed(x, 1) for x in (0.0, -0.04, 0.04, 1234.5)] == [
        "0.0",
        "0.0",
        "0.0",
        "+1,234.5",
    ]
    assert (
        fmt.interval(-12.5, -0.03, 1, is_signed=True) == "[\N{MINUS SIGN}12.5, \N{MINUS SIGN}0.03]"
    )
    assert fmt.interval(0.0, math.nan) == fmt.NONE
    assert [fmt.p_value(p) for p in (0.0004, 0.0304, 0.314, 0.0496, 0.04996, 1.0)] == [
        f"<{thin}0.001", "0.030", "0.31", "0.0496", "0.04996", "1.00",
    ]  # fmt: skip
    assert fmt.decimals([5.2, 0.31, math.nan, 0]) == 2
    assert fmt.decimals([5.2]) == 1
    assert fmt.decimals([]) == 2
    assert [fmt.significant(x) for x in (123.0, 0.0123, 1.5, 0.0, 3.14e-7)] == [
        "120", "0.012", "1.5", "0", "3.1·10⁻⁷",
    ]  # fmt: skip
    assert [fmt.plain(x) for x in (0.01, 32.0, 1e-05, 0.0005, 123456.0)] == [
        "0.01", "32", "10⁻⁵", "0.0005", "123456",
    ]  # fmt: skip
    assert [fmt.power(x) for x in (1.0, 0.01, 0.001, 1e-4)] == ["1", "0.01", "10⁻³", "10⁻⁴"]
    assert [words.data(n) for n in ("mnist_5k", "kmnist", "mqar")] == ["MNIST 5k", "KMNIST", "MQAR"]
    assert [words.cell(n) for n in ("mgu", "mingru", "my_own")] == ["MGU", "minGRU", "my_own"]
    assert fmt.ranges([0, 1, 2, 3, 8]) == "0 to 3, 8"
    assert fmt.date("2026-11-28T20:00:00+00:00") == "28 Nov 2026"
    assert [fmt.seconds(x) for x in (0.84, 12, 200, 7260)] == [
        f"0.84{thin}s", f"12{thin}s", f"3{thin}min 20{thin}s", f"2{thin}h 1{thin}min",
    ]  # fmt: skip
    assert fmt.joined(["a", "b", "c"]) == "a, b and c"


def test_where_nothing_is_compared_no_p_is_waited_for(tmp_path: Path) -> None:
    for cell in ("lstm", "gru"):
        write_run(tmp_path / "s", cell)
    assert statistics.tests(report_of(tmp_path / "s"), is_caption=True) == []


def test_a_cell_of_ones_own_has_no_article(tmp_path: Path) -> None:
    for seed in range(3):
        for cell, accuracy in (("lstm", 0.9), ("leaky", 0.8)):
            noise = seed / 1000 + len(cell) * seed**2 / 1e5
            write_run(tmp_path / "s", cell, seed=seed, accuracy=accuracy + noise)
    (said,) = headline(report_of(tmp_path / "s"))
    assert said.startswith("leaky is ")
    assert " worse than the LSTM." in said


def test_runs_that_failed_alike_are_said_together(tmp_path: Path) -> None:
    for seed in range(5):
        write_run(tmp_path / "s", seed=seed)
        state = "failed" if seed in (0, 1, 3) else "finished"
        write_run(tmp_path / "s", "gru", seed=seed, state=state)
    found = notices(report_of(tmp_path / "s"))
    assert found[0].title.startswith("3 runs failed: GRU, seeds 0, 1, 3 (")


def test_the_headline_names_variants_and_numbers(grid: Path) -> None:
    report = report_of(grid)
    assert headline(report) == (
        "The GRU is 0.39 to 0.44 points better than the LSTM.",
        "The RNN is 4.95 to 5.00 points worse than the LSTM.",
    )
    families = words.families(report)
    assert [f.title for f in families] == ["32 hidden units", "64 hidden units"]
    assert [f.labels[v.key] for f in families for v in f.variants] == ["LSTM", "GRU", "RNN"] * 2


def test_a_mean_that_is_not_zero_is_not_written_as_zero(tmp_path: Path) -> None:
    """One run that has learnt nothing widens every interval; the others are still read."""
    for seed, accuracy in enumerate((0.9, 0.1, 0.8)):
        write_run(tmp_path / "s", seed=seed, accuracy=accuracy)
        write_run(tmp_path / "s", "gru", seed=seed, accuracy=0.0004)
    report = report_of(tmp_path / "s")
    (gru,) = (v for v in report.variants if v.cell == "gru")
    assert fmt.number(gru.mean, words.decimals_of(report)) == "0.04"


def test_one_seed_each_is_said_and_has_numbers(tmp_path: Path) -> None:
    for cell, accuracy in (("lstm", 0.9), ("gru", 0.93), ("rnn", 0.7)):
        write_run(tmp_path / "s", cell, accuracy=accuracy)
    assert headline(report_of(tmp_path / "s")) == (
        "Against the LSTM: the RNN \N{MINUS SIGN}20.00 points and the GRU +3.00 points.",
        "One seed each: no interval and no verdict.",
    )


@pytest.mark.parametrize(
    ("accuracies", "says"),
    [((0.90, 0.91, 0.905), "cannot be told apart from the LSTM with 3 seeds."),
     ((0.99, 0.992, 0.991), "points better than the LSTM.")],
)  # fmt: skip
def test_what_is_open_is_told_from_what_is_decided(
    tmp_path: Path, accuracies: tuple[float, ...], says: str
) -> None:
    for seed, accuracy in enumerate(accuracies):
        write_run(tmp_path / "s", seed=seed, accuracy=(0.9, 0.905, 0.91)[seed])
        write_run(tmp_path / "s", "gru", seed=seed, accuracy=accuracy)
    (sentence,) = headline(report_of(tmp_path / "s"))
    assert sentence.startswith("The GRU ")
    assert sentence.endswith(says)


def test_a_study_says_in_words_what_its_arms_are(tmp_path: Path) -> None:
    """Labels and the command come from the sweep's folder, which somebody may have sent."""
    write_run(tmp_path / "s")
    hydra = """hydra:
  runtime: {choices: {ablation: lstm_gates}}
  overrides: {task: [ablation=lstm_gates, 'seed=range(4)', tracker=none]}
"""
    study = """
ablation:
  labels: {NIG: no input gate, CIFG: coupled gates}
"""
    (tmp_path / "s/multirun.yaml").write_text(hydra + study)
    asked = asked_of([tmp_path / "s"])
    assert asked.study == "lstm_gates"
    assert [asked.label(arm) for arm in ("NIG", "NIG+CIFG", "without_NIG", "NIG+x", "y")] == [
        "no input gate", "no input gate and coupled gates", "all changes but: no input gate", "",
        "",
    ]  # fmt: skip
    longer = asked.command({"seed": "range(8)", "training.epochs": "4", "sweep.name": "s-long"})
    assert longer == (
        "python -m mnist_seq.train -m ablation=lstm_gates 'seed=range(8)' tracker=none "
        f"training.epochs=4 sweep.name=s-long hydra.sweep.dir={tmp_path}/s-long"
    )
    before_labels = """
ablation:
  arms: {NIG: [model.input_gate=false], CIFG: [model.cifg=false]}
"""
    (tmp_path / "s/multirun.yaml").write_text(hydra + before_labels)
    assert asked_of([tmp_path / "s"]).labels == {"NIG": "no input gate"}  # CIFG is another arm now
    odd = hydra.replace("tracker=none", "hydra.launcher._target_=os.system")
    (tmp_path / "s/multirun.yaml").write_text(odd + study)
    assert asked_of([tmp_path / "s"]).command() == ""


def test_a_verdict_is_one_word_wherever_people_read_it_and_another_in_files(
    tmp_path: Path,
) -> None:
    """The headline, the answer, all columns, every pair, the rule and the prompt of Python."""
    for seed, accuracy in enumerate((0.90, 0.92, 0.91)):
        write_run(tmp_path / "s", "lstm", seed=seed, accuracy=accuracy)
        write_run(tmp_path / "s", "gru", seed=seed, accuracy=0.91)
    report = report_of(tmp_path / "s", pairs="all")
    for text in (printed(report, 200), markdown.render(report), html.render(report)):
        read = re.sub(
            r"<pre hidden.*?</pre>|data-order=\S+ dist\S+|“not distinguishable”",
            "",
            text,
            flags=re.DOTALL,
        )
        assert "undecided" in read
        assert "not distinguishable" not in read
    assert ",not distinguishable," in table_csv.render(report)
    assert report.headline == " ".join(headline(report))
    assert report.headline in repr(report)


def test_a_headline_counts_the_sizes_where_it_would_list_more_than_three(tmp_path: Path) -> None:
    """A sentence that lists nine sizes says nothing within five seconds."""
    for size in (8, 16, 32, 64, 128):
        for seed in range(3):
            own = 0.90 if size == 8 else 0.95 + seed / 2000
            write_run(tmp_path / "s", "lstm", size, seed, accuracy=0.90 + seed / 1000)
            write_run(tmp_path / "s", "gru", size, seed, accuracy=own)
    assert headline(report_of(tmp_path / "s")) == (
        "The GRU is 4.95 points better than the LSTM in 4 of its 5 comparisons.",
        "The GRU with 8 hidden units cannot be told apart from it with 3 seeds.",
    )
