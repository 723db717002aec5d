"""Baselines and titles of variants where there are arms, LSTM options and matched sizes."""

from typing import Any

from mnist_seq.runs.variants import BaselineRule, flat, naming_keys, title, variant_key


def config(cell: str = "lstm", *, arm: str = "none", seed: int = 0, **model: Any) -> dict[str, Any]:
    common = {"hidden": 64, "layers": 1, "match": "none", "params": "any"}
    own = {"cifg": False, "forget_bias": "default"} if cell == "lstm" else {}
    return {
        "seed": seed,
        "arm": arm,
        "model": {"name": cell, **common, **own, **model},
        "optimizer": {"name": "adam", "lr": 0.01},
    }


DEFAULTS = flat(config())


def baselines(variants: list[dict[str, Any]]) -> list[int | None]:
    """Position of each one's baseline."""
    flats = [flat(variant) for variant in variants]
    found = (BaselineRule(flats, defaults=DEFAULTS).find(v) for v in flats)
    return [None if one is None else flats.index(one) for one in found]


def test_an_arm_is_compared_with_its_studys_baseline_at_the_same_point_of_the_grid() -> None:
    """Also where the whole study is off the defaults: leave-one-out, or another learning rate."""
    runs = [
        config(arm=arm, hidden=hidden, layers=2, **own)
        for hidden in (32, 128)
        for arm, own in (("baseline", {}), ("CIFG", {"cifg": True}))
    ]
    assert baselines(runs) == [0, 0, 2, 2]
    flats = [flat(run) for run in runs]
    assert [title(v, naming_keys(flats)) for v in flats] == [
        "baseline, hidden=32", "CIFG, hidden=32", "baseline, hidden=128", "CIFG, hidden=128",
    ]  # fmt: skip


def test_matched_arms_have_the_baseline_of_their_budget() -> None:
    """Hidden follows from the size that was asked for, and differs from cell to cell."""
    runs = [
        config(cell, arm=arm, hidden=hidden, match=match)
        for match, widths in (("lstm-64", (64, 76)), ("lstm-128", (128, 150)))
        for cell, arm, hidden in (("lstm", "baseline", widths[0]), ("gru", "GRU", widths[1]))
    ]
    assert baselines(runs) == [0, 0, 2, 2]


def test_matched_cells_without_arms_have_it_too() -> None:
    """`-m model=lstm,gru model.match=lstm-64`."""
    runs = [config(match="lstm-64"), config("gru", hidden=76, match="lstm-64")]
    assert baselines(runs) == [0, 0]


def test_beside_other_cells_an_lstm_with_options_is_compared_with_the_plain_one() -> None:
    """It is a variant of the baseline, and no baseline itself."""
    runs = [config(), config(cifg=True), config(forget_bias=1.0), config("gru", reset="after")]
    assert baselines(runs) == [0, 0, 0, 0]


def test_a_baseline_is_the_same_variant_within_a_study_and_alone() -> None:
    """Two sweeps compared together share their baseline runs."""
    assert variant_key(config(arm="baseline")) == variant_key(config())
    assert variant_key(config(arm="CIFG")) != variant_key(config())
