"""Variants and their baselines: the comparison's whole meaning hangs on them."""

from typing import Any

from mnist_seq.runs.variants import BaselineRule, flat, naming_keys, title, variant_key, varying


def config(cell: str = "lstm", hidden: int = 64, seed: int = 0, **model: Any) -> dict[str, Any]:
    return {
        "seed": seed,
        "model": {"name": cell, "hidden": hidden, **model},
        "data": {"name": "mnist", "root": "data"},
        "optimizer": {"name": "adam", "lr": 0.01},
        "tracker": {"name": "none"},
        "sweep": {"name": "x"},
    }


DEFAULTS = flat(config())


def test_runs_that_differ_only_in_their_seed_are_one_variant() -> None:
    assert variant_key(config(seed=0)) == variant_key(config(seed=7))
    assert variant_key(config(hidden=32)) != variant_key(config(hidden=64))
    often, seldom = ({**config(), "training": {"checkpoint_every": n}} for n in (50, 200))
    assert variant_key(often) == variant_key(seldom)


def test_with_several_cells_the_baseline_is_the_lstm_that_agrees_on_the_rest() -> None:
    """A GRU of 32 units against an LSTM of 64 would compare widths, not cells."""
    variants = [flat(config(c, h)) for c in ("lstm", "gru") for h in (32, 64)]
    variants += [flat(config("rnn", h, nonlinearity="tanh")) for h in (32, 64)]
    for variant in variants:
        baseline = BaselineRule(variants, defaults=DEFAULTS).find(variant)
        assert baseline == flat(config("lstm", variant["model.hidden"]))


def test_with_the_lstm_alone_the_baseline_has_the_default_values() -> None:
    variants = [flat(config(hidden=h)) for h in (32, 64, 128)]
    for variant in variants:
        assert BaselineRule(variants, defaults=DEFAULTS).find(variant) == variants[1]


def test_a_missing_baseline_is_none() -> None:
    variants = [flat(config("gru", h)) for h in (32, 64)] + [flat(config("lstm", 64))]
    assert BaselineRule(variants, defaults=DEFAULTS).find(variants[0]) is None
    assert BaselineRule(variants, defaults=DEFAULTS).find(variants[1]) == variants[2]
    widths = BaselineRule([flat(config(hidden=h)) for h in (32, 128)], defaults=DEFAULTS)
    assert widths.find(flat(config(hidden=32))) is None


def test_titles_name_what_varies() -> None:
    variants = [flat(config(c, h)) for c in ("lstm", "gru") for h in (32, 64)]
    assert varying(variants) == ["model.name", "model.hidden"]
    assert [title(v, varying(variants)) for v in variants] == [
        "lstm, hidden=32", "lstm, hidden=64", "gru, hidden=32", "gru, hidden=64"]  # fmt: skip


def test_kernels_name_a_variant_only_where_nothing_else_tells_them_apart() -> None:
    """A cell without a native step has its baseline and its name all the same."""
    native = {"device": {"kernel": "native"}}
    lstm, mgu = flat(config() | native), flat(config("mgu"))
    assert naming_keys([lstm, mgu]) == ["model.name"]
    assert BaselineRule([lstm, mgu], defaults=DEFAULTS).find(mgu) == lstm
    nadam = flat(config() | {"optimizer": {"name": "nadam", "lr": 0.01}})
    assert BaselineRule([lstm, nadam], defaults=DEFAULTS).find(nadam) == lstm
    both = [lstm, flat(config())]
    assert naming_keys(both) == ["device.kernel"]
    assert BaselineRule(both, defaults=DEFAULTS).find(lstm) == both[1]
