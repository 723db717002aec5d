"""Model by model: McNemar's test of the two models of each seed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mnist_seq.report.analyse.comparisons import pairs_of
from mnist_seq.report.sections import Inputs, Section, Table
from mnist_seq.report.value import Report
from mnist_seq.stats import McNemarOverSeeds, mcnemar_over_seeds


@dataclass(frozen=True)
class Models:
    """The tests of each compared variant's pairs of models, by its key."""

    by_variant: dict[int, McNemarOverSeeds]


class ModelByModel(Section[Models]):
    """Needs a comparison, and predictions of classes by both models of a seed."""

    order = 120.0

    def compute(self, inputs: Inputs) -> Models | None:
        """Counts of the pairs that are better, worse and undecided."""
        found = {}
        for v in inputs.variants:
            if v.compared is None or v.baseline is None:
                continue
            hits = []
            for a, b in pairs_of(inputs.groups[v.key], inputs.groups[v.baseline], inputs.metric):
                of_a, of_b = a.classes, b.classes
                if of_a is not None and of_b is not None and np.array_equal(of_a[0], of_b[0]):
                    hits.append((of_a[1] == of_a[0], of_b[1] == of_b[0]))
            if hits:
                found[v.key] = mcnemar_over_seeds(hits, alpha=inputs.options.alpha)
        return Models(found) if found else None

    def tables(self, report: Report, part: Models) -> Sequence[Table]:
        """One row a variant."""
        rows = tuple(
            (v.name, v.baseline_name, str(m.num_pairs), str(m.num_a_better), str(m.num_b_better),
             str(m.num_undecided))
            for v in report.variants
            if (m := part.by_variant.get(v.key))
        )  # fmt: skip
        header = ("variant", "baseline", "pairs", "variant better", "baseline better", "undecided")
        caption = (
            "Exact McNemar test of the two models of each seed on the same test images, at "
            f"{report.rule.alpha:g}, not adjusted. It compares two trained models, not two "
            "methods: the verdicts rest on the seeds."
        )
        return [Table("Model by model", header, rows, caption, formats=("html",))]
