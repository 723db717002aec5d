"""Trains many runs of equal shape as one batched program."""
