"""Log-probabilities → text."""
