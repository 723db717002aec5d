"""Writes a report: terminal, HTML, Markdown, CSV, figures, W&B."""
