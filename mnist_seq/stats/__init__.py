"""Statistics: arrays in, numbers out. Nothing here knows runs, folders, metrics or units.

In every function, a is the variant, b is the baseline, and a difference is a - b.

| question | file |
| --- | --- |
| mean, spread and interval of one variant | `intervals` |
| variant and baseline with the same seeds | `paired`, a `comparison` |
| variant and baseline with different seeds | `unpaired` (Welch), a `comparison` |
| p value without a normal distribution | `permutation` |
| many comparisons at once: Holm, Benjamini-Hochberg | `corrections` |
| which difference n seeds can show, how many seeds a difference needs | `power` |
| is a difference too small to matter (TOST, posterior) | `tost` |
| the verdict in words: better, worse, equivalent, undecided | `verdicts` |
| the same after several looks, or seeds that were added because of one | `sequential` |
| two models on the same test examples (McNemar, bootstrap, confusion matrix) | `predictions` |
| is a classifier better than a guess | `guess` |
| does one side diverge more often (Fisher) | `permutation` |
| how long runs take to reach a value | `time_to_threshold` |
| which variants are worth their cost | `ranking.pareto` |
| which cells rank first over several tasks (Friedman, Nemenyi) | `ranking.ranks` |
| what a random search of n trials finds | `search` |

Only `scipy.special` is imported here. `scipy.stats` and `scipy.optimize` take half a second, so the
few functions that need them import them when called.
"""

from mnist_seq.stats.comparison import Comparison
from mnist_seq.stats.corrections import Correction, adjust
from mnist_seq.stats.guess import guess_p, squared_error_p
from mnist_seq.stats.intervals import (
    BOOTSTRAP_MIN_N,
    Description,
    Interval,
    bootstrap_interval,
    describe,
    mean_interval,
    proportion_interval,
    t_interval,
)
from mnist_seq.stats.paired import PairedComparison, paired_comparison, wilcoxon_p
from mnist_seq.stats.permutation import PermutationTest, fisher_p, sign_flip_test, split_test
from mnist_seq.stats.power import MOST_SEEDS, detectable_difference, seeds_needed, t_test_power
from mnist_seq.stats.predictions import (
    Disagreements,
    McNemar,
    McNemarOverSeeds,
    bootstrap_over_examples,
    confusion_matrix,
    disagreements,
    mcnemar,
    mcnemar_over_seeds,
)
from mnist_seq.stats.ranking.pareto import pareto_front
from mnist_seq.stats.ranking.ranks import Friedman, friedman, mean_rank_intervals, ranks
from mnist_seq.stats.search import best_sd, expected_best
from mnist_seq.stats.time_to_threshold import TimeToThreshold, time_to_threshold
from mnist_seq.stats.tost import Equivalence, Posterior, equivalence, posterior
from mnist_seq.stats.unpaired import WelchComparison, welch_comparison
from mnist_seq.stats.verdicts import (
    Rule,
    Verdict,
    detectable_at,
    judge,
    margin_text,
    no_verdict,
    said,
    stands,
    verdict,
)

__all__ = [
    "BOOTSTRAP_MIN_N",
    "MOST_SEEDS",
    "Comparison",
    "Correction",
    "Description",
    "Disagreements",
    "Equivalence",
    "Friedman",
    "Interval",
    "McNemar",
    "McNemarOverSeeds",
    "PairedComparison",
    "PermutationTest",
    "Posterior",
    "Rule",
    "TimeToThreshold",
    "Verdict",
    "WelchComparison",
    "adjust",
    "best_sd",
    "bootstrap_interval",
    "bootstrap_over_examples",
    "confusion_matrix",
    "describe",
    "detectable_at",
    "detectable_difference",
    "disagreements",
    "equivalence",
    "expected_best",
    "fisher_p",
    "friedman",
    "guess_p",
    "judge",
    "margin_text",
    "mcnemar",
    "mcnemar_over_seeds",
    "mean_interval",
    "mean_rank_intervals",
    "no_verdict",
    "paired_comparison",
    "pareto_front",
    "posterior",
    "proportion_interval",
    "ranks",
    "said",
    "seeds_needed",
    "sign_flip_test",
    "split_test",
    "squared_error_p",
    "stands",
    "t_interval",
    "t_test_power",
    "time_to_threshold",
    "verdict",
    "welch_comparison",
    "wilcoxon_p",
]
