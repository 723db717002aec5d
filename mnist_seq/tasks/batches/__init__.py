"""Splits a task's examples and gives a training loop its batches."""
