"""Runs the jobs of a sweep as stacks: runs of equal shape in one batched program."""
