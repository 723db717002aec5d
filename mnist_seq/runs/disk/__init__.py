"""What files of a run or sweep may hold, whoever wrote them, and how much of them is read.

limits          the largest size of each kind of file
parsing         JSON, YAML and arrays, without what our own files never hold
records         types and ranges of run.json, result.json, metrics.jsonl and predictions.npz
kill_points     places where tests end a process that is writing
"""
