"""Model by model: the two models of each seed on the same test examples."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mnist_seq.report import wording
from mnist_seq.report.analyse.comparisons import pairs_of
from mnist_seq.report.sections import Inputs, Section, Table
from mnist_seq.report.value import Report
from mnist_seq.stats import (
    Interval,
    McNemarOverSeeds,
    bootstrap_over_examples,
    mcnemar_over_seeds,
)


@dataclass(frozen=True)
class Models:
    """The tests of each variant's pairs of models, by its key.

    Attributes:
        first: seed, difference in accuracy and its bootstrap interval over test examples, both in
            percent, of the pair of models with the smallest seed.
    """

    by_variant: dict[int, McNemarOverSeeds]
    first: dict[int, tuple[int, float, Interval]]


class ModelByModel(Section[Models]):
    """Needs predictions of classes by both models of a seed."""

    order = 120.0
    heading = "Model by model"

    def compute(self, inputs: Inputs) -> Models | None:
        """Counts of the pairs that are better, worse and undecided."""
        found, first = {}, {}
        for v in inputs.variants:
            if v.is_baseline or v.baseline is None:
                continue
            hits, seeds = [], []
            for a, b in pairs_of(inputs.groups[v.key], inputs.groups[v.baseline], inputs.metric):
                of_a, of_b = a.classes, b.classes
                if of_a is not None and of_b is not None and np.array_equal(of_a[0], of_b[0]):
                    hits.append((of_a[1] == of_a[0], of_b[1] == of_b[0]))
                    seeds.append(a.seed)
            if hits:
                found[v.key] = mcnemar_over_seeds(hits, alpha=inputs.options.alpha)
                test = found[v.key].pairs[0]
                ends = bootstrap_over_examples(test, inputs.options.level)
                wide = replace(ends, low=100 * ends.low, high=100 * ends.high)
                first[v.key] = (seeds[0], 100 * test.difference, wide)
        return Models(found, first) if found else None

    def tables(self, report: Report, part: Models) -> Sequence[Table]:
        """One row a variant."""
        rows = tuple(
            (v.label, v.baseline_label, str(m.num_pairs), str(m.num_a_better), str(m.num_b_better),
             str(m.num_undecided), *_first(part.first[v.key]))
            for v in report.variants
            if (m := part.by_variant.get(v.key))
        )  # fmt: skip
        level = wording.percent(report.level)
        header = ("variant", "baseline", "pairs", "variant better", "baseline better", "undecided",
                  "seed", "its difference, points", f"{level} interval over examples")  # fmt: skip
        caption = (
            "Exact McNemar test of the two models of each seed on the same test examples, at "
            f"{report.rule.alpha:g}, not adjusted. It compares two trained models, not two "
            "methods: the verdicts rest on the seeds. The interval is a paired bootstrap over the "
            "test examples, for the two models of one seed: it covers other examples, and no other "
            "seeds."
        )
        return [Table("Model by model", header, rows, caption, formats=("html",))]


def _first(found: tuple[int, float, Interval]) -> tuple[str, str, str]:
    """Seed, difference and interval of one pair of models."""
    seed, difference, ends = found
    return str(seed), wording.signed(difference, 2), wording.span(ends.low, ends.high, 2)
