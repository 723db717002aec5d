"""Computes every number of a report from the runs that were read."""
