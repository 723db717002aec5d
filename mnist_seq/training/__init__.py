"""Training of one run: step, loop, evaluation, checkpoint, seeds, device."""
