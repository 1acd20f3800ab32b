"""How alike people respond to the same stimulus."""
