"""Loss functions in pure torch."""
