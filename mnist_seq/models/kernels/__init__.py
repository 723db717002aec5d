"""Recurrences over a whole sequence with hand-written gradients."""
