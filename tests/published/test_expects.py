"""`expects` of experiment files: what papers say, which no run depends on."""

import pytest

from mnist_seq.config import ConfigError, identity, parse, plain
from mnist_seq.config.paths import options
from mnist_seq.config.schema.expects import Expected
from mnist_seq.published import measured, stored
from mnist_seq.published.rows import Row, chosen, rows
from mnist_seq.published.table import verdicts
from mnist_seq.report.render.published_files import markdown
from tests.conftest import ROOT, config_of

ROW = {"value": 0.5, "tolerance": 0.1, "source": "a paper"}


def test_a_run_is_the_same_with_and_without_what_papers_say() -> None:
    """Else a page number would make another run of it."""
    config = config_of("experiment=adding", "device=cpu")
    values = plain(config)
    assert "expects" not in values
    again = parse({**values, "expects": {"lstm": ROW}} | {"sweep": {**values["sweep"]}})
    assert (identity(again), plain(again)) == (identity(config), values)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (3, "expects must be a group of rows"),
        ({"a": 3}, "expects.a must be a group of keys: expects.a=3"),
        ({"a b": ROW}, "letters, digits and _ -"),
        ({"a": {**ROW, "valu": 1}}, "did you mean expects.a.value?"),
        ({"a": {**ROW, "value": "x"}}, "expects.a.value must be a number: expects.a.value=x"),
        ({"a": {"value": 1, "tolerance": 1}}, "expects.a.source must be given"),
        ({"a": {**ROW, "interval": [0.4, 0.6]}}, "tolerance=0.1 expects.a.interval=[0.4, 0.6]"),
        ({"a": {"value": 1, "source": "x"}}, "needs a band"),
        ({"a": {"value": 1, "source": "x", "interval": [3, 2]}}, "write the lower end first"),
        ({"a": {**ROW, "metric": "valid/accuracy"}}, "expects.a.metric must be"),
    ],
)
def test_a_wrong_row_is_refused_in_one_line(given: object, says: str) -> None:
    values = plain(config_of("experiment=adding", "device=cpu"))
    with pytest.raises(ConfigError) as refused:
        parse({**values, "expects": given})
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_every_row_is_of_an_experiment_that_there_is() -> None:
    found = rows()
    assert {row.experiment for row in found} <= set(options("experiment"))
    assert len({row.id for row in found}) == len(found) >= 12


def test_the_table_of_the_docs_is_what_is_stored() -> None:
    """benchmarks/published.py table writes it; a number that nobody measured cannot stand there."""
    page = (ROOT / "docs" / "tasks.md").read_text()
    table = page.split("<!-- written by benchmarks/published.py table -->\n")[1]
    table = table.split("\n<!-- end of what is written -->")[0]
    lines = markdown(verdicts(rows(), stored.read_all())).splitlines()
    assert table.splitlines() == lines, "run: python benchmarks/published.py table"


def test_a_run_repeats_a_row_also_by_a_key_that_its_config_leaves_out() -> None:
    """Newer keys at their default are not in run.json, so that older runs stay the same."""
    row = Row("x", "plain", Expected.model_validate({**ROW, "overrides": ["model.projection=0"]}))
    words = ["experiment=x", "model.projection=0", "seed=1"]
    assert row.is_of({"overrides": words, "config": {"model": {}}})
    assert not row.is_of({"overrides": ["experiment=x", "seed=1"], "config": {"model": {}}})


def test_a_run_of_other_data_or_other_first_weights_repeats_nothing() -> None:
    """What stood in for MNIST has other images; trained weights make any number."""
    row = Row("x", "plain", Expected.model_validate(ROW))
    record = {"overrides": ["experiment=x", "seed=1", "device=cuda", "training.diagnostics=all"],
              "config": {}, "data": {"requested": "mnist", "data": "mnist"}}  # fmt: skip
    assert row.is_of(record)
    assert not row.is_of({**record, "data": {"requested": "mnist", "data": "mnist_5k"}})
    for word in ("training.init_from=outputs/runs/a", "device.precision=bf16", "model.hidden=3"):
        assert not row.is_of({**record, "overrides": [*record["overrides"], word]})


def test_a_metric_that_no_run_has_is_no_divergence() -> None:
    """`expects` of one's own may name a probe that is not read."""
    result = {"state": "finished", "seconds": 60.0, "metrics": {"test/accuracy": 0.5, "a": None}}
    assert measured._seed(0, result, {}, "a").value is None, "not a number at its end"
    assert measured._seed(0, {**result, "state": "diverged"}, {}, "test/accuracy").value is None
    with pytest.raises(ConfigError, match="test@9/accuracy; the runs have a, test/accuracy"):
        measured._seed(0, result, {}, "test@9/accuracy")


def test_a_name_that_is_none_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no published number .* paraty; did you mean parity\?"):
        chosen(["paraty"], rows())


def test_every_stored_result_is_of_a_row_and_says_what_ran() -> None:
    """Waypoints and the table of the docs read these files."""
    known = {row.id: row for row in rows()}
    found = stored.read_all()
    assert found
    for name, result in found.items():
        assert name in known, f"docs/results/{name}.json is of no row in conf/experiment"
        assert result.metric == known[name].expected.metric
        now = stored.variant_of(plain(config_of(*known[name].words, "device=cpu")))
        assert result.variant == now, f"docs/results/{name}.json is of another config"
        curve = result.curve
        assert len(curve.updates) == len(curve.mean) == len(curve.sd) > 0
        assert sorted(curve.updates) == curve.updates
