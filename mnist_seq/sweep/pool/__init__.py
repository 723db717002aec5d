"""Runs the jobs of a sweep side by side in processes of this machine."""
