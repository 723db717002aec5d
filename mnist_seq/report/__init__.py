"""Run folders in, one `Report` value, several renderings of it out.

`collect` reads folders, `build` computes the report, and `terminal`, `files` (HTML, Markdown, CSV,
LaTeX, JSON, figures) and `wandb_report` render it; `frame` gives the runs as a pandas table
instead. Import from these modules: each loads only what it needs, so that a sweep which prints its
table waits for no chart.
"""
