"""Runs of several data sets: each judged on its own, one grid of all, ranks and no other means."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from mnist_seq.report.analyse.suite import check_one_task
from mnist_seq.report.read.errors import CannotCompare
from mnist_seq.report.render import markdown, table_csv
from mnist_seq.report.render.files import write
from mnist_seq.report.render.html import render
from mnist_seq.report.render.notebook import for_notebook
from mnist_seq.report.sections.facts import Facts
from mnist_seq.report.sections.ranks import Ranks
from mnist_seq.report.sections.suite import Suite
from mnist_seq.report.texts import fmt
from mnist_seq.report.texts.headline import headline
from mnist_seq.report.texts.notices import notices
from mnist_seq.report.value import Report
from tests.report.sweeps import report_of, write_run
from tests.report.test_renderings import HOSTILE, printed, text_of
from tests.report.test_tasks import GUESS, write_values

CELLS = ("lstm", "gru", "rnn")
SHARES = {"mnist": (0.95, 0.97, 0.90), "parity": (0.9, 0.95, 0.5), "mqar": (0.8, 0.7, 0.6),
          "even_pairs": (0.7, 0.8, 0.6)}  # fmt: skip


def write_suite(folder: Path) -> Path:
    """Three cells on four tasks with accuracies and one with errors, three seeds each."""
    for seed in range(3):
        for place, cell in enumerate(CELLS):
            for task, means in SHARES.items():
                noise = np.random.default_rng([seed, place, len(task)]).normal(0, 0.001)
                write_run(folder, cell, seed=seed, accuracy=means[place] + noise, data__name=task)
            noise = (0.5, 0.2, 1.5)[place] + seed / 100
            write_values(folder, cell, seed, noise, data__name="adding")
    return folder


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_suite(tmp_path_factory.mktemp("sweeps") / "suite")


@pytest.fixture(scope="module")
def report(sweep: Path) -> Report:
    return report_of(sweep)


def test_each_task_is_judged_as_if_it_were_alone(sweep: Path, report: Report) -> None:
    """Baseline, direction, unit, correction: nothing of one task moves a number of another."""
    assert set(report.tasks) == {"adding", *SHARES}
    assert report.variants == ()
    for task, own in report.tasks.items():
        alone = report_of(sweep, where=f"data={task}")
        assert alone.tasks == {}
        assert repr(own.variants) == repr(alone.variants)  # they hold NaN
        assert (own.metric, own.num_comparisons) == (alone.metric, 2)
    assert report.tasks["adding"].metric.name == "test/mse"
    assert {v.name: v.word for v in report.tasks["adding"].variants}["gru"] == "better"
    assert ", MNIST, parity: GRU beats the baseline" in report.headline
    assert report.headline.endswith("; MQAR: nothing beats the baseline.")


def test_ranks_go_by_the_direction_of_each_task_and_the_test_is_scipys(report: Report) -> None:
    part = Ranks.of(report)
    assert part is not None
    tasks = list(report.tasks)
    ranks = {own.name: dict(zip(tasks, own.by_task, strict=True)) for own in part.ranked}
    assert [own.name for own in part.ranked] == ["gru", "lstm", "rnn"]
    assert ranks["gru"] == {"adding": 1, "mnist": 1, "parity": 1, "even_pairs": 1, "mqar": 2}
    assert [own.mean for own in part.ranked] == pytest.approx([1.2, 1.8, 3.0])
    assert [(own.low, own.high) for own in part.ranked] == [(1.2, 1.2), (1.8, 1.8), (3.0, 3.0)]
    expected = scipy.stats.friedmanchisquare(*([ranks[c][t] for t in tasks] for c in CELLS))
    assert part.test is not None
    assert (part.test.statistic, part.test.p) == pytest.approx(
        (expected.statistic, expected.pvalue)
    )
    assert part.test.groups == ((0, 1), (1, 2))


def test_few_tasks_are_ranked_and_not_tested(sweep: Path) -> None:
    report = report_of(sweep, where="data=adding,mqar")
    part = Ranks.of(report)
    assert part is not None
    assert len(part.ranked) == 3
    assert part.test is None
    assert "needs 5 tasks" in markdown.render(report)


def test_a_lost_run_ranks_as_a_guess_and_a_lacking_task_leaves_no_rank(tmp_path: Path) -> None:
    """A cell that diverged where others are poor is no better than they are."""
    for seed in range(2):
        for cell, noise in (("lstm", 1.0), ("gru", 0.5)):
            state = "diverged" if (cell, seed) == ("gru", 1) else "finished"
            write_values(tmp_path / "s", cell, seed, noise, state=state, data__name="adding")
            write_run(tmp_path / "s", cell, seed=seed, accuracy=0.9 + seed / 100)
        write_run(tmp_path / "s", "rnn", seed=seed)
    report = report_of(tmp_path / "s")
    part = Ranks.of(report)
    assert part is not None
    assert report.tasks["adding"].guess == pytest.approx(GUESS)
    assert list(report.tasks) == ["mnist", "adding"]
    assert {own.name: own.by_task for own in part.ranked} == {"lstm": (1.5, 1), "gru": (1.5, 2)}
    assert (part.left, part.noise) == (("RNN",), ())
    assert "Without a rank, since a task lacks them: RNN." in markdown.render(report)


def test_a_task_that_nobody_learns_is_named(tmp_path: Path) -> None:
    """Somebody is always first, also among guesses."""
    for seed in range(2):
        for cell in ("lstm", "gru"):
            write_run(tmp_path / "s", cell, seed=seed, accuracy=0.1, data__name="parity")
            write_run(tmp_path / "s", cell, seed=seed, accuracy=0.9 + seed / 100)
    part = Ranks.of(report := report_of(tmp_path / "s"))
    assert part is not None
    assert part.noise == ("parity",)
    assert "No run is shown to learn on parity: ranks there are noise." in markdown.render(report)


def test_every_rendering_has_the_grid_and_each_task(report: Report, tmp_path: Path) -> None:
    grid_part, part = Suite.of(report), Ranks.of(report)
    assert grid_part is not None
    assert part is not None
    (grid,) = Suite().tables(report, grid_part)
    (ranks,) = Ranks().tables(report, part)
    (figure,) = Ranks().charts(report, part)
    assert figure.panels
    page, text, table = render(report), markdown.render(report), printed(report, 200)
    said = text_of(page)
    for form in (said, text, table):
        plain = form.replace(fmt.MINUS, "-")
        entries = [row[-1].replace(fmt.MINUS, "-") for row in (*grid.rows, *ranks.rows)]
        assert all(entry in plain for entry in entries)
    for form in (text, table):
        answers = [" ".join(headline(own)) for own in report.tasks.values()]
        assert all(answer in " ".join(form.split()) for answer in answers)
    assert all(" ".join(headline(own)) in text_of(page) for own in report.tasks.values())
    assert f"from {sum(len(own.runs) for own in report.tasks.values())} run folders" in page
    assert "better (9" in page
    assert page.count('<table class="answer"') == 5
    assert len({line for line in page.split("<section ") if 'id="answer-' in line}) == 5
    rows = table_csv.render(report).splitlines()
    assert rows[0].startswith("task,variant,")
    assert [row.split(",")[0] for row in rows[1:]] == [t for t in report.tasks for _ in CELLS]
    frame = for_notebook(report).frame()
    assert list(frame["metric"].unique()) == ["test/mse", "test/accuracy"]
    for of in (report, report.tasks["mqar"]):
        written = write(of, tmp_path, formats=["markdown", "csv"])
        assert [path.name for path in written][:2] == ["report.md", "report.csv"]
        assert [path.name for path in written][2:] == ["tasks"] * bool(of.tasks)
        found = {path.parent.name for path in tmp_path.glob("tasks/*/report.md")}
        assert found == set(of.tasks)  # those of an earlier report are gone


def test_the_page_has_the_facts_of_all_tasks_and_the_notices_of_each(report: Report) -> None:
    known = Facts.of(report)
    assert known is not None
    facts = {fact.name: fact.value for fact in known.facts}
    assert facts["Data"] == "5 data sets"
    assert facts["Runs"] == "45 of 45 finished"
    assert (facts["Seeds"], known.day) == ("3, paired", "1 Jan 2026")
    assert render(report).count('<dl class="facts">') == 1
    lost = replace(report.tasks["mqar"], warnings=("a: b",))
    tasks = {**report.tasks, "mqar": lost, "parity": replace(lost, title="other")}
    titles = [n.title for n in notices(replace(report, tasks=tasks)) if n.title.endswith("A:")]
    assert titles == ["MQAR and parity: A:"]  # said once
    every = {task: replace(own, warnings=("c: d",)) for task, own in report.tasks.items()}
    assert "On each task: C:" in [n.title for n in notices(replace(report, tasks=every))]
    page = render(report)
    assert "no thin bar" not in page  # each task's answer draws them
    assert "which holds for all comparisons of a task at once" in page
    assert "0.05/0 " not in page
    assert "by Holm&#x27;s method over the comparisons of a task" in page


def test_the_name_of_a_task_leads_nowhere_else(report: Report, tmp_path: Path) -> None:
    """It stands in run.json, which anybody may have written."""
    own = report.tasks["mqar"]
    odd = replace(report, tasks={"../../up": own, HOSTILE: own, ".": own})
    write(odd, tmp_path / "in", formats=["markdown", "csv"])
    assert {path.name for path in tmp_path.iterdir()} == {"in"}
    assert len(list((tmp_path / "in" / "tasks").iterdir())) == 3
    assert HOSTILE not in render(odd)


def test_what_is_of_one_metric_is_refused_for_several(sweep: Path, report: Report) -> None:
    with pytest.raises(CannotCompare, match=r"margin is in the unit of one metric.*where='data="):
        report_of(sweep, margin=0.1)
    assert report_of(sweep, margin=0.1, where="data=mqar,parity").tasks
    with pytest.raises(CannotCompare, match=r"W&B is about one task.*where='data="):
        check_one_task(report, "a report in W&B")
    check_one_task(report.tasks["mqar"], "a report in W&B")


def test_a_mixture_within_a_task_is_refused_with_the_name_of_the_task(tmp_path: Path) -> None:
    for task in ("mnist", "kmnist"):
        write_run(tmp_path / "s", "lstm", data__name=task)
    write_run(tmp_path / "s", "gru", data__name="kmnist", data__limit=100)
    with pytest.raises(CannotCompare, match=r"kmnist: .*data\.limit differs"):
        report_of(tmp_path / "s")
