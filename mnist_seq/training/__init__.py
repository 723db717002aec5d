"""Trains runs, alone or as a stack.

Read in this order: `run` (from a config to a result), `loop` (steps, evaluations, events),
`optimizers` and `schedules` (the contracts and one file a member), `batched` (many runs as one
program), `preflight` (checks before a run has a folder). `checkpoint`, `seeds`, `device`, `memory`
and `diagnostics` serve them; `progress` shows a run on the screen.
"""
