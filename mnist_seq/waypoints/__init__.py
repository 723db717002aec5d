"""Waypoints: a run's learning curve beside the stored curve of equal runs with other seeds.

A stored curve has mean and sd of one metric at some updates, over n seeds: `curve.py`, `stored.py`.
Configs decide which runs it speaks of: `matching.py`. `judge.py` says whether a run is within what
those seeds gave, and `listener.py` says it while the run trains. No number of a run depends on any
of this.
"""
