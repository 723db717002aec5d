"""The training loop: steps, evaluations, checkpoints and the end of one run or of a stack.

Read in this order: `loop`, `program` (what the loop steps), `step` (one update), `batch`,
`objective` (loss and metrics), `evaluation`, `logbook` (state, files and events of one run).
"""
