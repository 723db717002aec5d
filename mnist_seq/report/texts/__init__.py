"""How a report writes numbers (`fmt`) and words (`words`, `headline`), once for all."""
