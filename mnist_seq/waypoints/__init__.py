"""Waypoints: a run's learning curve beside the stored curve of equal runs with other seeds.

Stored curves are those of `mnist_seq.published`. Configs decide which runs one speaks of:
`matching.py`. `judge.py` says whether a run is within what its seeds gave, `listener.py` says it
while the run trains, and `of_folder.py` reads it from a run folder. No number depends on this.
"""
