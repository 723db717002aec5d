"""Arrays in, numbers out: intervals, comparisons with a baseline, corrections, power, verdicts.

Throughout, a is the variant and b the baseline, and differences are a - b. Nothing here knows of
runs, folders or units. Only `scipy.special` is imported with the room; the few functions that need
`scipy.stats` or `scipy.optimize` import it when called, so that a sweep's summary stays quick.
"""

from mnist_seq.stats.chance import chance_p
from mnist_seq.stats.comparison import Comparison
from mnist_seq.stats.intervals import (
    BOOTSTRAP_MIN_N,
    Description,
    Interval,
    bootstrap_interval,
    describe,
    mean_interval,
    proportion_interval,
)
from mnist_seq.stats.multiple import Correction, adjust
from mnist_seq.stats.paired import PairedComparison, paired_comparison, wilcoxon_p
from mnist_seq.stats.pareto import pareto_front
from mnist_seq.stats.permutation import PermutationTest, sign_flip_test, split_test
from mnist_seq.stats.power import MOST_SEEDS, detectable_difference, seeds_needed, t_test_power
from mnist_seq.stats.predictions import (
    Disagreements,
    McNemar,
    McNemarOverSeeds,
    confusion_matrix,
    disagreements,
    mcnemar,
    mcnemar_over_seeds,
)
from mnist_seq.stats.search import best_sd, expected_best
from mnist_seq.stats.timing import TimeToThreshold, time_to_threshold
from mnist_seq.stats.tost import Equivalence, equivalence
from mnist_seq.stats.unpaired import WelchComparison, welch_comparison
from mnist_seq.stats.verdicts import Rule, Verdict, judge, no_verdict, verdict

__all__ = [
    "BOOTSTRAP_MIN_N",
    "MOST_SEEDS",
    "Comparison",
    "Correction",
    "Description",
    "Disagreements",
    "Equivalence",
    "Interval",
    "McNemar",
    "McNemarOverSeeds",
    "PairedComparison",
    "PermutationTest",
    "Rule",
    "TimeToThreshold",
    "Verdict",
    "WelchComparison",
    "adjust",
    "best_sd",
    "bootstrap_interval",
    "chance_p",
    "confusion_matrix",
    "describe",
    "detectable_difference",
    "disagreements",
    "equivalence",
    "expected_best",
    "judge",
    "mcnemar",
    "mcnemar_over_seeds",
    "mean_interval",
    "no_verdict",
    "paired_comparison",
    "pareto_front",
    "proportion_interval",
    "seeds_needed",
    "sign_flip_test",
    "split_test",
    "t_test_power",
    "time_to_threshold",
    "verdict",
    "welch_comparison",
    "wilcoxon_p",
]
