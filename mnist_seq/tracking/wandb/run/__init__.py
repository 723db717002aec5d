"""One run: what its folder shows of it, and its counterpart in W&B."""
