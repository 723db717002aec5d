"""Steps, evaluations, checkpoints and endings of one run, or of the runs of a stack."""
