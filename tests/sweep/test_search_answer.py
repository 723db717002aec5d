"""What a search prints at its end."""

from types import SimpleNamespace as Names

from rich.console import Console

from mnist_seq.sweep.search.answer import _show_best

KEYS = ("optimizer.lr", "optimizer.weight_decay", "model.hidden", "model.dropout",
        "training.batch_size", "schedule.warmup", "training.clip_norm")  # fmt: skip


def test_seven_keys_break_between_words_at_80_columns() -> None:
    """A table broke inside words and numbers."""
    trials = [
        Names(number=n, value=0.9, params={key: 0.00123456 * (n + k) for k, key in enumerate(KEYS)})
        for n in range(1, 4)
    ]
    console = Console(record=True, width=80, force_terminal=True)
    known = Names(
        settings=Names(objective="valid/accuracy"),
        space=Names(distributions=dict.fromkeys(KEYS)),
    )
    _show_best(trials, known, console)  # type: ignore[arg-type]
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 80
    words = text.replace(",", " ").split()
    for trial in trials:
        assert all(f"{k.rpartition('.')[2]}={v:.4g}" in words for k, v in trial.params.items())
