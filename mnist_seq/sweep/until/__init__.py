"""`sweep.until=decided`: seeds go to the variants whose verdict is open."""
