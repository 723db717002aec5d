"""Verdicts that hold however often somebody looks, and whether more seeds are worth it.

A t-test holds for one look at a number of seeds that was planned. Here the evidence against "no
difference" is an e-value: under the null, the probability that it ever reaches 1/alpha, at any
number of seeds, is at most alpha (Ville's inequality). So one may look after each seed, and stop
whenever one likes.

| question | file |
| --- | --- |
| e-values of 1, 2, ..., N differences | `evalues` |
| p, confidence sequence and equivalence over all looks so far | `looks` |
| is a call possible yet, how many seeds does it need, what are its chances | `outlook` |
| the verdict in words, over a family | `verdicts` |

All functions take the differences in the order in which their seeds were planned, never in the
order in which runs ended: a run that diverges ends early, so that order knows the results.

Never multiply or average these e-values, and correct p with Holm. They are evidence in a
filtration that does not see the scale of the differences, and only "p = 1 / largest e" survives a
stop that depends on the scale, or on another variant.

Source: Lai 1976; Wang & Ramdas 2023, arXiv:2310.03722; Perez-Ortiz et al. 2024, arXiv:2208.07610;
Tavyrikov et al. 2025, arXiv:2501.19360 (Holm, and why nothing else).
"""
