"""Which variants rank first: over several tasks, and by value and cost."""
