"""Pieces of HTML, Markdown and PNG; no text in them becomes markup by accident."""
