"""What a trained run is used for: predictions on examples of one's own, its errors, export."""
