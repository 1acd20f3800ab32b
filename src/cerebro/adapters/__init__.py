"""Channel adapters side by side."""
