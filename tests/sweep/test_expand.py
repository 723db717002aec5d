"""Hydra's grammar, and what its product cannot say."""

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser

from mnist_seq.config import ConfigError
from mnist_seq.config.paths import conf_dir
from mnist_seq.runs.commands import quoted
from mnist_seq.sweep.plan.expand import Grid, expand, without
from mnist_seq.sweep.plan.planner import run_name


@pytest.fixture(scope="module")
def parser() -> OverridesParser:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())


def words(grid: Grid) -> list[str]:
    return [" ".join(job) for job in grid.jobs]


def test_choices_multiply_and_the_last_key_turns_fastest(parser: OverridesParser) -> None:
    grid = expand(["model=lstm,gru", "seed=range(2)", "data=mnist_5k"], parser)
    assert words(grid) == [
        "model=lstm seed=0 data=mnist_5k",
        "model=lstm seed=1 data=mnist_5k",
        "model=gru seed=0 data=mnist_5k",
        "model=gru seed=1 data=mnist_5k",
    ]
    assert grid.swept == ["model", "seed"]


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("seed=range(1,4)", ["1", "2", "3"]),
        ("seed=range(0,10,5)", ["0", "5"]),
        ("schedule=glob(co*)", ["constant", "cosine"]),
        ("seed=sort(3,1,2)", ["1", "2", "3"]),
        ("seed=sort(3,1,2,reverse=true)", ["3", "2", "1"]),
        ("seed=tag(x,choice(1,2))", ["1", "2"]),
        ("optimizer.betas=[0.9,0.99],[0.8,0.9]", ["[0.9,0.99]", "[0.8,0.9]"]),
        ("data.root='a,b','c=d'", ["'a,b'", "'c=d'"]),
        ("training.clip_norm=inf,1.0", ["inf", "1.0"]),
        ("+experiment=article,article", ["article", "article"]),
    ],
)
def test_hydras_grammar_is_understood(
    parser: OverridesParser, word: str, values: list[str]
) -> None:
    key = word.partition("=")[0]
    wanted = dict.fromkeys(f"{key}={value}" for value in values)
    assert words(expand([word], parser)) == list(wanted), "duplicates once"


def test_shuffled_values_are_all_there(parser: OverridesParser) -> None:
    grid = expand(["seed=shuffle(range(5))"], parser)
    assert sorted(words(grid)) == [f"seed={seed}" for seed in range(5)]


def test_of_a_key_given_twice_the_last_word_counts(parser: OverridesParser) -> None:
    """A folder `hidden=32,hidden=16` would be named after what it does not hold."""
    grid = expand(["model.hidden=32,8", "seed=0,1", "model.hidden=16"], parser)
    assert words(grid) == ["model.hidden=16 seed=0", "model.hidden=16 seed=1"]
    assert grid.swept == ["seed"]


def test_zipped_keys_go_together(parser: OverridesParser) -> None:
    """Pairs such as (hidden, lr) would need a product of nine and six exclusions."""
    arguments = ["model.hidden=8,16,32", "seed=0,1", "optimizer.lr=0.1,0.03,0.01"]
    grid = expand(arguments, parser, zipped=["model.hidden", "optimizer.lr"])
    assert words(grid) == [
        f"model.hidden={hidden} seed={seed} optimizer.lr={lr}"
        for hidden, lr in ((8, 0.1), (16, 0.03), (32, 0.01))
        for seed in (0, 1)
    ]


def test_excluded_combinations_are_left_out(parser: OverridesParser) -> None:
    grid = expand(["model=lstm,rnn", "model.hidden=8,16"], parser)
    assert words(without(grid, ["model=rnn,model.hidden=16"])) == [
        "model=lstm model.hidden=8", "model=lstm model.hidden=16", "model=rnn model.hidden=8"
    ]  # fmt: skip


def test_a_plus_is_no_part_of_an_excluded_key(parser: OverridesParser) -> None:
    grid = expand(["++seed=0,1", "model.hidden=8,16"], parser)
    left = without(grid, ["seed=0,++model.hidden=8", "seed=1,model.hidden=16"])
    assert words(left) == ["++seed=0 model.hidden=16", "++seed=1 model.hidden=8"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"zipped": ["model.hidden", "seed"]}, "model.hidden has 3, seed has 2"),
        ({"zipped": ["optimizer.lr"]}, "must name swept keys: optimizer.lr; .* over model.hidden"),
        ({"excluded": ["model.hidden=9"]}, "'model.hidden=9' fits none of 6"),
        ({"excluded": ["seed=0", "seed=1"]}, "needs a run, and sweep.exclude leaves none of 3"),
    ],
)
def test_a_zip_or_an_exclusion_that_fits_nothing_is_refused(
    parser: OverridesParser, options: dict[str, list[str]], says: str
) -> None:
    """A typo in it would train runs that nobody wanted."""
    words = ["model.hidden=8,16,32", "seed=0,1"]
    with pytest.raises(ConfigError, match=says):
        without(expand(words, parser, zipped=options.get("zipped", [])), options["excluded"])


def test_an_interval_needs_a_search(parser: OverridesParser) -> None:
    with pytest.raises(ConfigError, match="hydra/sweeper=optuna"):
        expand(["optimizer.lr=interval(0.1,1)"], parser)


@pytest.mark.parametrize("text", ["plain", "a b", "it's", 'say "hi"', "a,b=[c]{d}", "a\\b", "漢字"])
def test_a_quoted_text_is_read_as_it_is(parser: OverridesParser, text: str) -> None:
    assert parser.parse_override(f"x={quoted(text)}").value() == text


def test_a_plus_changes_neither_zip_nor_names_and_a_choice_of_one_names(
    parser: OverridesParser,
) -> None:
    keys = ["model.hidden", "optimizer.lr"]
    typed = ["++model.hidden=8,16", "optimizer.lr=0.1,0.2", "model=choice(lstm)", "seed=1"]
    grid = expand(typed, parser, zipped=keys)
    assert grid.swept == [*keys, "model"]
    assert [run_name(job, grid.swept) for job in grid.jobs] == [
        "model.hidden=8,optimizer.lr=0.1,model=lstm",
        "model.hidden=16,optimizer.lr=0.2,model=lstm",
    ]
