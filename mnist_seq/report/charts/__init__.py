"""Draws the charts of a report from its numbers."""
