"""Slurm: what its queue says of jobs, and their submission."""
