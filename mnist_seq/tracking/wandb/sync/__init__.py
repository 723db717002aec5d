"""Sends to W&B what it lacks of runs that have ended."""
