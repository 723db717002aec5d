"""Sweeps on a real Slurm, which is started on this machine for the tests."""
