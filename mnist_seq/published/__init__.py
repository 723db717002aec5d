"""Published numbers, results of ours that are stored, and whether they agree."""
