"""Searches by Optuna: trials are asked for one by one and run in the pool, bad ones are pruned."""
