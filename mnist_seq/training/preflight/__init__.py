"""Checks what a run needs before it trains: its data, its size, its memory."""
