"""Runs the jobs of a sweep as stacks of batched runs."""
