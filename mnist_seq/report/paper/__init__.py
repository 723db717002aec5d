"""What a paper needs of a comparison: table, figures, methods, numbers by name, and their check."""
