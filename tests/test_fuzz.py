"""Any config trains as asked, or is refused in one line that names the key and leaves nothing.

A plain run tries the same examples each time. More, and others each time:
`pytest tests/test_fuzz.py --hypothesis-profile=deep -m ''`.
"""

import contextlib
import copy
import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from mnist_seq import command, compare, sync
from mnist_seq.config import ConfigError, identity, parse, plain
from mnist_seq.config.parse import parse_plain
from mnist_seq.config.paths import conf_dir, groups, options
from mnist_seq.config.schema import CHOSEN, Images, schema_of
from mnist_seq.notebook import LoadedRun, compose, train_run
from mnist_seq.report import keys
from mnist_seq.report.build import build
from mnist_seq.report.options import Options
from mnist_seq.report.read.collect import collect
from mnist_seq.runs.folder import RunFolder, find_runs
from mnist_seq.training.preflight.check import check_run
from mnist_seq.training.preflight.match import with_hidden_solved
from tests import fuzz
from tests.conftest import SMALL, Command


@pytest.fixture(scope="module", autouse=True)
def with_a_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """In the working directory, where `data=file` looks for one."""
    folder = tmp_path_factory.mktemp("here")
    fuzz.write_archive(folder / "sequences.npz")
    with contextlib.chdir(folder):
        yield


@pytest.fixture(scope="module")
def composed(with_a_file: None) -> dict[str, dict[str, Any]]:
    """Composed values of each choice that has keys of its own."""
    found = {}
    for choice in fuzz.keys_of_options():
        config = compose(*fuzz.with_tiny([choice] * bool(choice)))
        found[choice] = config.model_dump(serialize_as_any=True)
    return found


@pytest.mark.parametrize("choice", fuzz.keys_of_options())
def test_every_key_takes_a_value_as_it_is_or_refuses_it(
    composed: dict[str, dict[str, Any]], choice: str
) -> None:
    """All keys of all options with all hostile values: what is kept is kept whole."""
    for key in fuzz.keys_of_options()[choice]:
        for value in fuzz.HOSTILE:
            values = copy.deepcopy(composed[choice])
            *path, last = key.split(".")
            place = values
            for part in path:
                place = place[part]
            place[last] = value
            word = f"{key}={value}"
            try:
                config = parse(values)
            except ConfigError as error:
                fuzz.refusal(error, [word])
                continue
            found: Any = config.model_dump(serialize_as_any=True)
            for part in key.split("."):
                found = found[part]
            fuzz.check_same(value, found, word)
            kept = json.loads(json.dumps(plain(config), allow_nan=False))
            assert parse_plain(kept) == config, f"{word} is not read back from run.json"
            assert identity(parse_plain(kept)) == identity(config)


@settings(max_examples=fuzz.examples(25))
@given(words=fuzz.commands())
@example(words=["model.hidden=16", "model.match=lstm-64"])
@example(words=["optimizer=nadam", "optimizer.betas=[0.999999,0]", "optimizer.lr=1e30"])
@example(words=["optimizer=rmsprop", "optimizer.lr=1e30", "optimizer.eps=1e-300"])
@example(words=["optimizer=adagrad", "optimizer.initial_accumulator_value=1e30"])
@example(words=["model.forget_bias=-1e30"])
@example(words=["model=janet", "model.beta=1e30"])
@example(words=["data.noise=1e30"])
@example(words=["training.batch_size=1000000000000", "training.eval_batch_size=1000000000000"])
@example(words=["data.root=null"])
@example(words=["model=gru", "model.cifg=true"])
@example(words=["~model", "model.hidden=4"])
@example(words=["experiment=null"])
@example(words=["arm=Infinity"])
@pytest.mark.slow
def test_a_command_trains_as_asked_or_is_refused(
    words: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Types, ranges, unicode, lists, interpolations, injected keys, choices; several at once."""
    fuzz.play(words, tmp_path_factory.mktemp("fuzz") / "run")


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["model.hidden=1000000"], "model.hidden=1000000"),
        (["model.hidden=1000000000"], "model.hidden must be 1000000 or less"),
        (["model.layers=1000000"], "model.layers must be 100 or less"),
        (["model.hidden=1000000", "model.layers=100"], "model.layers=100"),
        (["model.params=1000000000000"], "model.params=1000000000000"),
        (["model.match=lstm-1000000"], "model.match=lstm-1000000"),
        (["model.match=lstm-99999999999999999999"], "model.match must be none, or a cell"),
        (["model=indrnn", "model.hidden=1000000", "model.layers=2"], "model.hidden=1000000"),
        (["training.batch_size=60000", "data.sequence=pixels", "model.hidden=4096", "data=mnist"],
         "training.batch_size=60000"),
        (["training.eval_batch_size=1000000000000", "data.sequence=pixels", "model.hidden=4096"],
         "training.eval_batch_size=1000000000000"),
        (["training.epochs=1000000000000"], "training.epochs=1000000000000"),
        (["training.epochs=1000000000000", "schedule=onecycle"], "training.epochs=1000000000000"),
        (["device.threads=100000"], "device.threads must be 512 or less"),
    ],
)  # fmt: skip
def test_what_no_machine_can_hold_is_refused_before_it_is_built(
    words: list[str], names: str
) -> None:
    """Else the machine swaps, or the kernel ends the process without a word."""
    if any(word.startswith("training.b") for word in words):
        words = [*words, "data.limit=all", "data.valid=0"]
    with pytest.raises(ConfigError) as caught:
        check_run(with_hidden_solved(compose(*fuzz.with_tiny(words))))
    assert names in fuzz.refusal(caught.value, words)


ALONE = ("ablation", "experiment")  # groups that set the options of others


def pairs() -> list[dict[str, str]]:
    """Rows in which each option of each group meets each one of every other; an experiment each."""
    factors = {
        group: [*[""] * (group not in CHOSEN), *options(group)]  # "": it is left out
        for group in groups()
        if group not in ALONE
    }
    rows = [{**row, "experiment": ""} for row in fuzz.pairwise(factors)]
    apart = len(rows) // len(names := options("experiment"))
    return rows + [{**rows[i * apart], "experiment": name} for i, name in enumerate(names)]


ROWS = pairs()
SOME = [pytest.param(row, marks=[pytest.mark.slow] * (i % 256 > 0)) for i, row in enumerate(ROWS)]


def test_the_rows_hold_every_pair() -> None:
    together = {(a, x, b, y) for row in ROWS for a, x in row.items() for b, y in row.items()}
    for a in groups():
        for b in groups():
            if not {a, b} & set(ALONE) and a != b:
                assert all((a, x, b, y) in together for x in options(a) for y in options(b))
    assert {row["experiment"] for row in ROWS} >= set(options("experiment"))


@pytest.fixture(scope="module")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    fuzz.remember_empty_data(root)
    return root


def asked_by(experiment: str) -> list[str]:
    """Groups and keys of an experiment, as words of a command."""
    values = OmegaConf.load(conf_dir() / "experiment" / f"{experiment}.yaml")
    return [f"{group}={key}" for group, key in values.items() if group != "defaults"]


@pytest.mark.parametrize("row", SOME, ids=lambda row: "-".join(row.values()))
def test_options_of_all_groups_go_together(
    row: dict[str, str], data_root: Path, tmp_path: Path
) -> None:
    """On 64 images; what cannot go together is refused by the rule between its keys."""
    words = [fuzz.choice(group, name) for group, name in row.items() if name]
    tiny = {**fuzz.TINY, "data.root": str(data_root)}
    if issubclass(schema_of("data", row["data"]), Images):
        tiny["data.normalize"] = "standard"
    words += ["tracker.mode=disabled"] * (row["tracker"] == "wandb")
    words += [f"{k}={v}" for k, v in tiny.items() if k not in ("data", "tracker")]
    if row["data"] == "mnist1d" and not row["experiment"]:
        words += ["data.sequence=pixels"]
    try:
        config = compose(*words)
        run = train_run(config, tmp_path / "run")
    except ConfigError as error:
        experiment = [row["experiment"]] * bool(row["experiment"])
        # An experiment sets keys too, and a refusal may name one of those
        line = fuzz.refusal(error, words + [word for name in experiment for word in asked_by(name)])
        rule = r"data=mnist1d|^device=|must end before|leaves no|needs|does not go with it yet"
        # One that sets keys of its own cell or data goes with those alone
        rule += (
            r"|no code reads (model|optimizer|schedule)\.|data\.|training\.monitor_test="
            * bool(experiment)
        )
        assert re.search(rule, line)
        assert not (tmp_path / "run" / "run.json").exists()
        return
    assert run.state in ("finished", "diverged")
    for group, name in row.items():
        if group in CHOSEN:
            assert getattr(run.config, group).name == name


REFUSED = [
    (["data.root=null"], "data.root must be text"),
    (["arm='a\x1b[31m'"], "an override is key=value|arm must be text without control"),
    (["sweep.dry_run=true"], "sweep.dry_run=true says how a sweep runs"),
    (["+hydra.job.x=1"], "no code reads hydra.job.x"),
    (["hydra.job.name=../x"], "hydra.job.name must be a plain name"),
    (["model.hidden=${nope}"], "'nope' not found.*model.hidden"),
    (["-m", "seed=range(0)"], r"seed=range\(0\) has none"),
    (["-m", "seed=range(1000000000)"], "a sweep is 100,000 runs or fewer"),
    (["-m", "hydra.launcher.workers=0", "seed=1,2"], "hydra.launcher.workers must be"),
]
MORE = [
    (["hydra.output_subdir=../x"], "hydra.output_subdir must be a plain name"),
    (["hydra.sweep.subdir=../x"], "hydra.sweep.subdir=../x is not read"),
    (["-m", "sweep=null"], "sweep must be a group of keys"),
    (["model=null"], "a group is chosen by the name of an option"),
    (["hydra.launcher.workers=2"], "says how a sweep runs"),
    (["-m", "sweep.name=a,b"], "a sweep has one name"),
    (["-m", "sweep.name=../x"], "sweep.name must be a plain folder name"),
    (["-m", "hydra.launcher.grace=inf"], "hydra.launcher.grace must be"),
    (["-m", "hydra.launcher._target_=os.system"], "Invalid plugin 'os.system'"),
    (["-m", "hydra.launcher.x=1"], "no code reads hydra.launcher.x"),
    (["-m", "ablation=lstm_gates", "ablation.design=x"], "ablation.design must be one_at_a_time"),
    (["-m", "ablation=lstm_gates", "+ablation.arms.x=[nope]"], "in Hydra's grammar: nope"),
    (["-m", "ablation.design=x"], "write ablation=<name>"),
    (["-m", "seed=range(400)", "data.valid=range(400)"], "a sweep is 100,000 runs or fewer"),
    (["-m", "model.hidden=4,999999"], "model.hidden=999999"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "says"),
    [*REFUSED, *(pytest.param(*case, marks=pytest.mark.slow) for case in MORE)],
)
def test_the_command_refuses_in_one_line_and_leaves_no_run(
    train: Command, tmp_path: Path, words: list[str], says: str
) -> None:
    """Exit code 1, one line, no traceback, nothing that could be taken for a run."""
    given_keys = {fuzz.key_of(word) for word in words}
    small = [w for w in SMALL if fuzz.key_of(w) not in given_keys]
    done = train(*words, *small, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert re.search(says, done.stderr)
    assert "\x1b" not in done.stderr
    assert not list(find_runs(tmp_path))


def test_an_interpolation_is_the_configs_not_that_of_the_list_of_overrides(
    train: Command, tmp_path: Path
) -> None:
    word = "training.eval_batch_size=${.batch_size}"
    train(word, "hydra.run.dir=run", "data.limit=400", *SMALL)
    record = RunFolder(tmp_path / "run").record()
    assert record["config"]["training"]["eval_batch_size"] == 200
    assert word in record["overrides"]


def test_a_sweep_says_which_combinations_have_no_run_of_their_own(train: Command) -> None:
    """Runs that differ in a label alone are one run: never dropped without a word."""
    done = train("-m", "arm=a,b", "seed=0,1", "sweep.dry_run=true", *SMALL)
    assert "2 of 4 combinations ask for what another one asks for too" in done.stdout


def config_of(name: str) -> dict[str, Any]:
    values = OmegaConf.to_container(OmegaConf.load(conf_dir() / f"{name}.yaml"))
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items() if key not in ("defaults", "hydra")}


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two variants of two seeds."""
    folder = tmp_path_factory.mktemp("sweep")
    for seed in (0, 1):
        for hidden in (4, 64):
            words = [f"seed={seed}", f"model.hidden={hidden}"]
            train_run(compose(*fuzz.with_tiny(words)), folder / f"{hidden}-{seed}")
    return folder


def test_every_key_of_compare_is_taken_or_refused(sweep: Path) -> None:
    """W&B is not asked: `source=wandb` and `wandb_report=true` are left out."""
    runs, defaults = collect([sweep]), compare._defaults()
    outcomes: dict[str, set[str]] = {}
    built: set[Options] = set()
    num_built: Counter[str] = Counter()
    as_it_is = config_of("compare")
    for key in command.keys_of("compare"):
        for value in fuzz.HOSTILE:
            values = {**as_it_is, "sweep": str(sweep), key: value}
            try:
                command.check_keys("compare", values)
                options = keys.read_options(values)
                compare._sources(values["sweep"])
                keys.read_formats(values["formats"])
                if options not in built:
                    if num_built[key] == 4 and not fuzz.DEEP:
                        continue  # read, and neither taken nor refused by what computes
                    build(runs, options, defaults=defaults, is_table_only=True)
                    num_built[key] += 1
                    built.add(options)
            except (ValueError, OSError) as error:
                outcomes.setdefault(key, set()).add("refused")
                fuzz.refusal(ConfigError(str(error)), [f"{key}={value}"])  # as it is printed
            else:
                outcomes.setdefault(key, set()).add("taken")
    taken = {key for key, found in outcomes.items() if "taken" in found}
    assert {"level", "alpha", "margin", "thresholds", "wilcoxon", "sweep"} <= taken
    assert {"test", "duplicates", "formats", "where"} <= {*outcomes} - taken  # metric: auto


@pytest.mark.parametrize("key", ["workers", "tries", "timeout", "project", "entity"])
def test_every_key_of_sync_is_taken_or_refused(key: str) -> None:
    as_it_is = config_of("sync")
    for value in fuzz.HOSTILE:
        try:
            limits = sync.read_limits({**as_it_is, key: value})
        except ConfigError as error:
            fuzz.refusal(error, [f"{key}={value}"])
        else:
            assert math.isfinite(limits.timeout)
            assert limits.workers >= 1


@pytest.mark.exhaustive
@settings(max_examples=fuzz.examples(600))
@given(words=fuzz.commands(), more=st.lists(fuzz.commands(), max_size=2))
def test_many_commands_at_once(
    words: list[str], more: list[list[str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    found = fuzz.play(sum(more, words), tmp_path_factory.mktemp("fuzz") / "run")
    assert isinstance(found, LoadedRun | str) or found.seed >= 0
