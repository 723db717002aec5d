"""Plans and runs sweeps: what must run (plan), where (engines), how (pool, stack), summary."""
