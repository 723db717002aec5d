"""Plans a sweep: expands the command, composes configs, decides what must run."""
