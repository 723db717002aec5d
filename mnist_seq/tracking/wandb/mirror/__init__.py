"""Uploads runs to W&B while they train: events -> client -> process -> one upload thread a run."""
