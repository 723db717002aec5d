"""The methods of a comparison in sentences, and what a repetition needs: made from the records.

A sentence names the numbers in it, so that `paper.check` can find those that are out of date.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mnist_seq.report.paper.setup import VERSIONS, Setup
from mnist_seq.report.paper.statistics import statistics
from mnist_seq.report.texts import fmt, words
from mnist_seq.report.value import Report
from mnist_seq.runs.text import plural
from mnist_seq.runs.variants import ARM

_MOST_NAMED = 8  # variants, values or seeds that are named one by one
_MOST_SPLITS = 20
_READ = {"rows": "row by row", "columns": "column by column", "pixels": "pixel by pixel",
         "permuted": "pixel by pixel in a permuted order"}  # fmt: skip


@dataclass(frozen=True)
class Sentence:
    """A sentence with its full stop, and the names of the numbers in it (`paper.numbers`)."""

    text: str
    names: tuple[str, ...] = ()


def paragraph(report: Report, setup: Setup) -> str:
    """The methods as one text."""
    return " ".join(sentence.text for sentence in sentences(report, setup, "sd"))


def sentences(report: Report, setup: Setup, spread: str) -> list[Sentence]:
    """What was compared, how it was trained and tested, and how it was judged.

    Args:
        spread: what stands behind each mean: "sd", "interval" or "none".
    """
    found = [_compared(report), *_data(setup), *_training(setup), *_seeds(report, setup)]
    found += [*_tuned(report, setup), *_tested(report, setup), *_lost(report)]
    return [*found, *(Sentence(text, names) for text, names in statistics(report, spread))]


def _compared(report: Report) -> Sentence:
    families = words.families(report)
    labels = list(dict.fromkeys(f.labels[v.key] for f in families for v in f.members))
    bases = {f.labels[f.baseline.key] for f in families if f.baseline}
    base = _the(report, bases.pop()) if len(bases) == 1 else "its baseline"
    if not labels:
        return Sentence(f"We trained {fmt.joined(list(words.labels(report).values()))}.")
    if ARM in report.factor_keys:
        named = f" ({fmt.joined(labels)})" if len(labels) <= _MOST_NAMED else ""
        what = f"{plural(len(labels), 'change')} of {base}{named}, one at a time,"
        return Sentence(f"We compared {what} with {base} itself{_where(families)}.")
    named = fmt.joined([_the(report, label) for label in labels])
    what = named if len(labels) <= _MOST_NAMED else plural(len(labels), "variant")
    return Sentence(f"We compared {what} with {base}{_where(families)}.")


def _the(report: Report, label: str) -> str:
    """A label within a sentence: a cell has its article, a setting such as lr=0.01 has none."""
    is_cell = words.CELL in report.factor_keys or ARM in report.factor_keys
    return f"the {label}" if is_cell and "=" not in label else label


def _where(families: Sequence[words.Family]) -> str:
    """What the families differ in: ", each with 32 and with 64 hidden units"."""
    titles = [f.title for f in families if f.title]
    if not 0 < len(titles) <= _MOST_NAMED:
        return ""
    nouns = {title.partition(" ")[2] for title in titles}
    if len(nouns) == 1 and "=" not in titles[0]:  # "32 and with 64 hidden units"
        titles = [*(title.partition(" ")[0] for title in titles[:-1]), titles[-1]]
    return f", each with {' and with '.join(titles)}"


def _data(setup: Setup) -> list[Sentence]:
    data, steps, size = (setup.one(name) for name in ("data", "time_steps", "input_size"))
    if data is None:
        return []
    read = _READ.get(str(setup.one("sequence")), "")
    shape = f" ({plural(int(steps), 'time step')} of {plural(int(size), 'value')})" if (
        isinstance(steps, int) and isinstance(size, int) and size > 0
    ) else ""  # fmt: skip
    way = f", read {read}" if read else ""
    return [Sentence(f"The data set was {words.data(str(data))}{way}{shape}.")]


def _training(setup: Setup) -> list[Sentence]:
    train, epochs, updates = (_span(setup, name) for name in ("num_train", "epochs", "updates"))
    if not train or not updates:
        return []
    is_by_epochs = setup.all_of("asked_updates") in ((), ("none",)) and epochs
    how_long = f"{_noun(epochs, 'epoch')} ({updates} updates)" if is_by_epochs else (
        f"{updates} updates"
    )  # fmt: skip
    batch = _span(setup, "batch_size")
    names = ["num_train", "updates", *["epochs"] * bool(is_by_epochs)]
    text = f"Each model was trained on {train} examples for {how_long}"
    if batch:
        text += f" with batches of {batch}"
        names.append("batch_size")
    optimizer = fmt.joined([str(o) for o in setup.all_of("optimizer")], "or")
    lr = fmt.joined([fmt.plain(float(v)) for v in setup.all_of("lr")], "or")
    schedule = fmt.joined([str(o) for o in setup.all_of("schedule")], "or")
    clipped = _clipped(setup)
    rate = f"learning rate {lr}, {schedule} schedule" if lr and len(setup.all_of("lr")) <= 8 else ""
    aside = ", ".join(filter(None, [rate, clipped]))
    if optimizer:
        text += f", with the optimizer {optimizer}{f' ({aside})' if aside else ''}"
    return [Sentence(f"{text}.", (*names, *["lr"] * bool(rate)))]


def _clipped(setup: Setup) -> str:
    """How gradients were clipped; "" where no run says it."""
    norms, values = setup.all_of("clip_norm"), setup.all_of("clip_value")
    never = ("inf", "Infinity", float("inf"))
    if not norms:
        return ""
    how = {"a norm": [str(c) for c in norms if c not in never],
           "values": [str(c) for c in values if c not in never]}  # fmt: skip
    said = [f"{what} of {fmt.joined(of, 'or')}" for what, of in how.items() if of]
    if not said:
        return "no clipping of gradients"
    return f"gradients clipped at {fmt.joined(said, 'or')}"


def _seeds(report: Report, setup: Setup) -> list[Sentence]:
    """How many seeds, and what a seed decides: what runs of one seed share."""
    num = len(setup.seeds)
    which = f" ({fmt.ranges(setup.seeds)})" if num <= 10 * _MOST_NAMED else ""
    each = sorted({v.planned for v in report.variants})
    text = f"Each variant was trained from {plural(num, 'seed')}{which}."
    if each != [num]:
        text = f"Variants were trained from {each[0]} to {each[-1]} seeds, of {num} in all{which}."
        if len(each) == 1:
            text = f"Each variant was trained from {each[0]} of {plural(num, 'seed')}{which}."
    decided = ["the initial weights"]
    decided += ["the order of the training examples"] * (setup.all_of("order") != ("fixed",))
    if len({split for splits in setup.splits.values() for split in splits}) > 1:
        decided.append("their split from those for validation")
    shared = f"A seed sets {fmt.joined(decided)}, so that runs of one seed share them."
    return [Sentence(text, ("num_seeds",)), Sentence(shared)]


def _tuned(report: Report, setup: Setup) -> list[Sentence]:
    if not setup.over or report.selector is None:
        return []
    return [
        Sentence(
            f"For each variant, the value of {fmt.joined(setup.over)} was "
            f"chosen by the mean {report.selector.label} over seeds, and the test set was read for "
            "the chosen values alone."
        )
    ]


def _tested(report: Report, setup: Setup) -> list[Sentence]:
    test, valid = (_span(setup, name) for name in ("num_test", "num_valid"))
    weights = {"last": "the last weights", "best": "the weights that were best on validation"}
    evaluated = [weights[str(e)] for e in setup.all_of("evaluate") if str(e) in weights]
    found = []
    if setup.all_of("early_stop") not in ((), ("never",)):
        found.append(Sentence("Training stopped early where validation no longer improved."))
    if test and report.metric.name.startswith("test/"):
        text = f"The test set of {test} examples was read once, when a run ended"
        text += f", with {fmt.joined(evaluated, 'or')}" if evaluated else ""
        found.append(Sentence(f"{text}.", ("num_test",)))
    if valid and valid != "0":
        found.append(
            Sentence(f"For validation, {valid} further examples were held out.", ("num_valid",))
        )
    return found


def _lost(report: Report) -> list[Sentence]:
    counts = {
        name: sum(getattr(v, name) for v in report.variants) for name in ("diverged", "failed")
    }
    parts = [f"{plural(num, 'run')} {name}" for name, num in counts.items() if num]
    if not parts:
        return []
    return [
        Sentence(
            f"{fmt.joined(parts)}; means are over the runs that ended with a result, and a verdict "
            "is withheld where it would be another one if each of these runs counted as a guess."
        )
    ]


def reproducibility(report: Report, setup: Setup) -> list[tuple[str, str]]:
    """What a repetition needs: (name, text), for a list."""
    version, commit, code = (_listed(setup, name) for name in ("version", "commit", "code"))
    parts = [f"mnist_seq {version}".strip()]
    parts += [f"commit {commit}{' with uncommitted changes' * setup.is_dirty}"] if commit else []
    parts += [f"code hash {code}"] if code else []
    versions = [f"{title} {text}" for n, title in VERSIONS.items() if (text := _listed(setup, n))]
    found = [("Code", ", ".join(parts)), ("Versions", ", ".join(versions))]
    device, precision = _listed(setup, "device"), _listed(setup, "precision")
    compute = [_listed(setup, "cpu"), f"device {device}" if device else "", precision]
    time = fmt.seconds(setup.seconds)
    compute.append(f"{plural(setup.num_runs, 'run')}, {time} of training in all")
    found.append(("Compute", ", ".join(filter(None, compute))))
    found.append(("Seeds", fmt.ranges(setup.seeds)))
    data, print_ = _listed(setup, "data"), [str(f)[:16] for f in setup.all_of("fingerprint")]
    sizes = [
        f"{_span(setup, f'num_{part}')} {name}"
        for part, name in (("train", "training"), ("valid", "validation"), ("test", "test"))
        if _span(setup, f"num_{part}")
    ]
    text = f"{data}: {fmt.joined(sizes)} examples" if sizes else data
    found.append(("Data", f"{text}; fingerprint {fmt.joined(print_)}" if print_ else text))
    splits = [f"{seed}: {'/'.join(map(str, s))}" for seed, s in setup.splits.items() if s]
    more = f" and {len(splits) - _MOST_SPLITS} more" if splits[_MOST_SPLITS:] else ""
    found.append(("Splits, hash by seed", ", ".join(splits[:_MOST_SPLITS]) + more))
    days = [fmt.date(str(day)) for day in setup.all_of("day")]
    found.append(("Trained", " to ".join(dict.fromkeys((days[0], days[-1]))) if days else ""))
    found += [("Command", command) for command in setup.commands]
    return [(name, text) for name, text in found if text]


def _listed(setup: Setup, name: str) -> str:
    values = [str(value) for value in setup.all_of(name)]
    return fmt.joined(values) if len(values) <= _MOST_NAMED else f"{len(values)} different ones"


def _span(setup: Setup, name: str) -> str:
    """A number that runs share, or the ends of those that they have; "" where none is known."""
    numbers = [v for v in setup.all_of(name) if isinstance(v, int | float)]
    if not numbers:
        return ""
    ends = (numbers[0], numbers[-1])
    shown = [fmt.count(v) if float(v).is_integer() else fmt.plain(v) for v in ends]
    return " to ".join(dict.fromkeys(shown))


def _noun(number: str, noun: str) -> str:
    return f"{number} {noun}" if number == "1" else f"{number} {noun}s"
