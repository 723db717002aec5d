"""Training passes over a whole sequence, with a backward pass written by hand."""
