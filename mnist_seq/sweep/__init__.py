"""Sweeps: what must run (plan), how it runs (pool), what came of it (summary)."""
