"""Runs the jobs of a sweep, several at once: queue, processes, stopping, views."""
